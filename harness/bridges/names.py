"""Names that other programs take for a task or a function."""

from __future__ import annotations

import re


def identifier(text: str) -> str:
    """Return a name of small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
