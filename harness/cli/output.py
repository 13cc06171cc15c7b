"""The one way out: results on standard output, words about the work on standard error, both made visible."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from harness.files.visible import visible

WIDEST = 100  # columns of prose: longer lines are hard to follow


def write(text: str) -> None:
    """Write a result on standard output."""
    sys.stdout.write(visible(text))


def write_json(facts: Any) -> None:
    """Write a result as JSON; what JSON does not know is written as text."""
    write(json.dumps(facts, indent=1, ensure_ascii=False, default=str) + "\n")


def write_prose(text: str, marked: Sequence[str] = (), indent: int = 0, file: TextIO | None = None) -> None:
    """Write a paragraph, on standard output if not elsewhere, in lines that fit; `marked` stands out.

    What is no terminal gets 80 columns, and nothing in it stands out.
    """
    out = sys.stdout if file is None else file
    # Here, because most of what the program writes needs no rich.
    from rich.console import Console
    from rich.text import Text

    drawn = Text(visible(text))
    for words in filter(None, map(visible, marked)):
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
