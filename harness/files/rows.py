"""JSON lines of our own, each with a checksum, read as far as a crash has let them be written."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.api import DataError

from .writing import naming, writing

CHECK = re.compile(rb', "check": "([0-9a-f]{8})"}\n$')


def line_of(row: Mapping[str, Any]) -> bytes:
    """Return a row as a line that ends with a checksum of itself, so that damage to it shows."""
    text = json.dumps(row, default=str).encode()
    return text[:-1] + b', "check": "%08x"}\n' % zlib.crc32(text) if row else b"{}\n"


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Append one line."""
    with naming(path), path.open("ab") as file:
        file.write(line_of(row))


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole rows of a JSON-lines file; a torn last line is no row, a damaged one is an error."""
    for number, (line, row) in enumerate(_lines(path), 1):
        if row is None:
            what = "not what was written" if CHECK.search(line) else "not a JSON row"
            raise DataError(
                f"{path}, line {number}: {what}",
                hint="the same command makes a run whole again; elsewhere, remove the line",
            )
        yield row


def heal_rows(path: Path) -> int:
    """Drop what a crash left after the last newline, and damaged rows, whose number is returned."""
    if not path.exists():
        return 0
    damaged, size = 0, 0
    for line, row in _lines(path):
        damaged += row is None
        size += len(line)
    if damaged:
        with writing(path) as file:
            file.writelines(line for line, row in _lines(path) if row is not None)
    elif path.stat().st_size > size:
        with path.open("rb+") as file:
            file.truncate(size)
    return damaged


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], *, sort: bool = True) -> None:
    """Write a JSON-lines file whole or not at all."""
    with writing(path) as file:
        for row in rows:
            file.write(json.dumps(row, sort_keys=sort).encode() + b"\n")


def _lines(path: Path) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    """Yield each whole line and its row, or None where it is damaged."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield line, _row(line)


def _row(line: bytes) -> dict[str, Any] | None:
    if found := CHECK.search(line):
        line = line[: found.start()] + b"}"
        if zlib.crc32(line) != int(found[1], 16):
            return None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
