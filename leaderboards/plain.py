"""Canonical JSON, digests and the names of files: the same value always gives the same bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from harness.files.json_files import to_json


def canonical(value: Any) -> str:
    """Return the JSON that rows and tables are kept and hashed as."""
    return to_json(value, allow_nan=False) + "\n"


def digest(value: Any) -> str:
    """Hash any JSON-able value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def slug(text: str) -> str:
    """Return a name that is safe in paths and addresses: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "unnamed"


def unique(names: Iterable[str]) -> list[str]:
    """Return the names once each, in their first order."""
    return list(dict.fromkeys(names))


def mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping, or an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}
