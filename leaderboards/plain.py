"""Canonical JSON, digests and the names of files: the same value always gives the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness import DataError


def canonical(value: Any) -> str:
    """Return JSON with sorted keys; lone surrogates stay escaped."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a model may say half a surrogate pair
        text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False)
    return text + "\n"


def digest(value: Any) -> str:
    """Hash any JSON-able value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Hash a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> Any:
    """Read a JSON file; what is wrong with it is said with its name."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON-lines file; blank lines are nothing."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: not JSON") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: not an object")
        yield row


def write(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def packed(data: bytes) -> bytes:
    """Return data as gzip; the same data always gives the same bytes."""
    whole = io.BytesIO()
    with gzip.GzipFile(fileobj=whole, mode="wb", mtime=0, filename="") as file:
        file.write(data)
    return whole.getvalue()


def slug(text: str) -> str:
    """Return a name that is safe in paths and addresses: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "unnamed"


def visible(text: str) -> str:
    """Show characters that would reorder, hide or erase text, or that no page or terminal can carry."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def unique(names: Iterable[str]) -> list[str]:
    """Return the names once each, in their first order."""
    return list(dict.fromkeys(names))


def mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping, or an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}
