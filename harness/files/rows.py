"""JSON lines of our own: appended row by row, and read as far as a crash has let them be written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.api import DataError

from .writing import naming, writing


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Append one line."""
    with naming(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, default=str) + "\n")


def cut_torn_row(path: Path) -> None:
    """Drop what a crash left after the last newline, or the next row would be glued to it."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                file.truncate(start + newline + 1)
                return
            end = start
        file.truncate(0)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole rows of a JSON-lines file; a torn last line is no row."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise DataError(
                    f"{path}, line {number}: not a JSON row",
                    hint="remove the line, or start over with --fresh",
                )
            yield row


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], *, sort: bool = True) -> None:
    """Write a JSON-lines file whole or not at all."""
    with writing(path) as file:
        for row in rows:
            file.write(json.dumps(row, sort_keys=sort).encode() + b"\n")
