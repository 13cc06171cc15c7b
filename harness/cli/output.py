"""The one way out: results on standard output, words about the work on standard error, both made visible."""

from __future__ import annotations

import json
import sys
from typing import Any

from harness.files.visible import visible


def write(text: str) -> None:
    """Write a result on standard output."""
    sys.stdout.write(visible(text))


def write_json(facts: Any) -> None:
    """Write a result as JSON; what JSON does not know is written as text."""
    write(json.dumps(facts, indent=1, ensure_ascii=False, default=str) + "\n")


def say(text: str) -> None:
    """Write a line about the work on standard error."""
    sys.stderr.write(visible(text) + "\n")


def flush() -> None:
    """Let a reader have what is written so far."""
    sys.stdout.flush()


def take_any_text() -> None:
    """Let both streams take what their encoding cannot say, as a sentence of it instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
