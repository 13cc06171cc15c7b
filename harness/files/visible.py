"""Strangers' text as it may be shown: it moves no cursor, and hides and reorders nothing."""

from __future__ import annotations

import json


def visible(text: str) -> str:
    """Return text with every character that a terminal or a page would obey written as JSON writes it."""
    return "\n".join(line if line.isprintable() else _written_out(line) for line in text.split("\n"))


def _written_out(line: str) -> str:
    return "".join(char if char.isprintable() or char == "\t" else json.dumps(char)[1:-1] for char in line)
