"""What reaches a terminal: strangers' text moves no cursor, reorders nothing and stops no program."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

WIDEST = 100  # columns of prose: longer lines are hard to follow
KEPT = "\n\t"


def escaped(text: str) -> str:
    """Return text with every character that a terminal would obey written as JSON writes it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in KEPT else json.dumps(c)[1:-1] for c in text)


def write(text: str) -> None:
    """Write a result on standard output."""
    sys.stdout.write(escaped(text))


def write_prose(text: str, marked: Sequence[str] = (), indent: int = 0, file: TextIO | None = None) -> None:
    """Write a paragraph, on standard output if not elsewhere, in lines that fit; `marked` stands out.

    What is no terminal gets 80 columns, and nothing in it stands out.
    """
    out = sys.stdout if file is None else file
    # Here, because most of what the program writes needs no rich.
    from rich.console import Console
    from rich.text import Text

    drawn = Text(escaped(text))
    for words in filter(None, map(escaped, marked)):
        drawn.highlight_regex(
            rf"(?i)(?<!\w){re.escape(words)}(?!\w)" if words.isascii() else re.escape(words), "bold"
        )
    width = min(shutil.get_terminal_size().columns, WIDEST) if out.isatty() else 80
    console = Console(file=out, width=width, highlight=False)
    for line in drawn.wrap(console, width - indent):
        line.rstrip()
        console.print(Text(" " * indent) + line, soft_wrap=True)


def say(text: str) -> None:
    """Write a line about the work on standard error."""
    sys.stderr.write(escaped(text) + "\n")


def take_any_text() -> None:
    """Let both streams take what their encoding cannot say, as a sentence of it instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
