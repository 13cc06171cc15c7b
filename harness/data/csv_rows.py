"""CSV as spreadsheets write it: strict quotes, bounded lines, every record with the line where it starts."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import DataError

from .text_lines import Fault, read_lines, text_fault


@dataclass(frozen=True, slots=True)
class Record:
    """One record with the line where it starts. With a fault, the fields are not to be used."""

    line: int
    fields: list[str]
    fault: Fault | None = None


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a CSV file; one of another width than the first, or of no text, has a fault."""
    reader = csv.reader(_texts(path), strict=True)
    start, first = 1, list[str]()
    try:
        for fields in reader:
            if fields:
                first = first or fields
                yield Record(start, fields, _fault(fields, first))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{start}: expected a CSV row, found one that {error}") from error


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, fields by column) of a CSV file whose header names `columns`, each filled in every row.

    What is wrong is a `DataError` at its place; that the file is absent says what it should hold.
    """
    hint = f"a CSV file with the columns {', '.join(columns)}"
    if path.parent.is_file():
        raise DataError(f"{path.parent} is a file, expected a folder with {path.name}", hint=hint)
    if not path.is_file():
        raise DataError(f"no {path.name} in {path.parent}", hint=hint)
    records = read_records(path)
    names = next((record.fields for record in records), [])
    if lacking := [name for name in columns if names.count(name) != 1]:
        found = ", ".join(names) or "nothing"
        raise DataError(f"{path}:1: expected the column {lacking[0]} once, found {found}", hint=hint)
    for record in records:
        row = dict(zip(names, record.fields, strict=False))
        fault = record.fault or next(
            (Fault("empty", f"a text in '{name}'", "nothing") for name in columns if not row[name]), None
        )
        if fault is not None:
            raise fault.at(path, record.line, hint)
        yield record.line, row


def _texts(path: Path) -> Iterator[str]:
    for line in read_lines(path):
        if line.fault is not None and line.fault.kind == "length":
            raise line.fault.at(path, line.number)
        yield line.text + "\n"


def _fault(fields: list[str], first: list[str]) -> Fault | None:
    if len(fields) != len(first):
        return Fault("columns", f"{len(first)} columns ({', '.join(first)})", str(len(fields)))
    return next(filter(None, map(text_fault, fields)), None)
