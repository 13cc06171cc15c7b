"""Rows of named columns out of CSV, TSV, JSON, JSON lines and Parquet, whatever they are about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from harness import DataError

from .csv_rows import read_records
from .json_items import read_items
from .parquet import read_parquet
from .text_lines import Fault, first_bytes, read_lines

FORMS = ("csv", "tsv", "json", "jsonl", "parquet")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row with the line where it starts. With a fault, the values are not to be used."""

    line: int
    values: dict[str, Any] = field(default_factory=dict)
    fault: Fault | None = None


def form_of(path: Path) -> str:
    """Return the form of a file by its suffix, or, where that says nothing, by how it begins."""
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    suffix = plain.suffix.removeprefix(".").lower()
    if suffix in FORMS:
        return suffix
    start = first_bytes(path).lstrip()
    if start[:1] in (b"[", b"{"):
        return "json"
    return "tsv" if b"\t" in start.partition(b"\n")[0] else "csv"


def read_table(path: Path) -> Iterator[TableRow]:
    """Yield the rows of a file; each has every column of the header, or the keys that its object has."""
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    form = form_of(path)
    if form == "parquet":
        return _parquet(path)
    if form in ("json", "jsonl"):
        return (TableRow(item.line, item.value, item.fault) for item in read_items(path))
    return _csv(path) if form == "csv" else _tsv(path)


def column_names(path: Path) -> list[str]:
    """Return the names of a file's columns, as its first good rows have them; without any it is refused."""
    headed = form_of(path) in ("csv", "tsv") if path.is_file() else False
    names: dict[str, None] = {}
    first: TableRow | None = None
    for row in islice(read_table(path), 21):
        names |= dict.fromkeys(row.values)
        if names and headed:
            break
        first = first or row
    if not names:
        if first is not None and first.fault is not None:
            raise first.fault.at(path, first.line)
        raise DataError(f"{path} has a header and no rows" if headed else f"{path} has no rows")
    return list(names)


def _csv(path: Path) -> Iterator[TableRow]:
    records = read_records(path)
    header = next(records, None)
    if header is not None and header.fault is not None:
        raise header.fault.at(path, header.line)
    names = _header(path, header.fields if header else [])
    for record in records:
        if record.fault is not None:
            yield TableRow(record.line, fault=record.fault)
        else:
            yield TableRow(record.line, dict(zip(names, record.fields, strict=True)))


def _tsv(path: Path) -> Iterator[TableRow]:
    lines = (line for line in read_lines(path) if line.fault is not None or line.text.strip())
    header = next(lines, None)
    if header is not None and header.fault is not None:
        raise header.fault.at(path, header.number)
    names = _header(path, header.text.split("\t") if header else [])
    for line in lines:
        fields = line.text.split("\t")
        if line.fault is not None:
            yield TableRow(line.number, fault=line.fault)
        elif len(fields) != len(names):
            expected = f"{len(names)} columns ({', '.join(names)})"
            yield TableRow(line.number, fault=Fault("columns", expected, str(len(fields))))
        else:
            yield TableRow(line.number, dict(zip(names, fields, strict=True)))


def _header(path: Path, names: list[str]) -> list[str]:
    names = [name.strip() for name in names]
    if not names:
        raise DataError(f"{path} is empty, expected a header and rows")
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(
            f"{path}:1: expected each column once, found '{twice[0]}' {names.count(twice[0])} times"
        )
    return names


def _parquet(path: Path) -> Iterator[TableRow]:
    return (TableRow(number, row) for number, row in enumerate(read_parquet(path), start=1))
