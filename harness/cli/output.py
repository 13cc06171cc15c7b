"""What reaches a terminal: strangers' text moves no cursor, reorders nothing and stops no program."""

from __future__ import annotations

import json
import sys

KEPT = "\n\t"


def escaped(text: str) -> str:
    """Return text with every character that a terminal would obey written as JSON writes it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in KEPT else json.dumps(c)[1:-1] for c in text)


def write(text: str) -> None:
    """Write a result on standard output."""
    sys.stdout.write(escaped(text))


def say(text: str) -> None:
    """Write a line about the work on standard error."""
    sys.stderr.write(escaped(text) + "\n")


def take_any_text() -> None:
    """Let both streams take what their encoding cannot say, as a sentence of it instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
