"""Pairs out of tables and lines: TSV and CSV with or without a header, and one text a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from harness import DataError
from harness.data.csv_rows import read_records
from harness.data.text_lines import Fault, Line, read_lines, shown

from .raw_row import PairFile, RawRow, columns
from .smiles import has_smiles_syntax

Roles = dict[str, int]  # role -> column


def open_table(path: Path, named: Mapping[str, str] | None = None) -> PairFile | None:
    """Recognise a tab-separated table by its header or, without one, by where its molecules are."""
    first = next((line for line in read_lines(path) if line.text.strip() and line.fault is None), None)
    if first is None or "\t" not in first.text:
        return None
    names = first.text.split("\t")
    if found := columns(names, named):
        roles = _places(path, names, found)
        return PairFile(
            path, f"TSV with header ({', '.join(names)})", lambda: _rows(path, roles, names, True)
        )
    if roles := _roles_by_content(names):
        order = sorted(roles, key=lambda role: roles[role])
        return PairFile(
            path, f"TSV without header ({', '.join(order)})", lambda: _rows(path, roles, names, False)
        )
    return None


def _places(path: Path, names: list[str], found: Mapping[str, str]) -> Roles:
    if twice := sorted(name for name in found.values() if names.count(name) > 1):
        raise DataError(
            f"{path}:1: expected each column once, found '{twice[0]}' {names.count(twice[0])} times"
        )
    return {role: names.index(name) for role, name in found.items()}


def _roles_by_content(fields: list[str]) -> Roles:
    """Say which column is which from a first row: CID?, SMILES, caption or caption, SMILES."""
    start = 1 if fields[0].strip().isdecimal() and len(fields) > 2 else 0
    pair = [field.strip().replace("\\\\", "\\") for field in fields[start : start + 2]]
    if len(pair) < 2 or pair[1].startswith("{'"):
        return {}
    molecules = [has_smiles_syntax(field) for field in pair]
    if sum(molecules) != 1:
        return {}
    roles = {"smiles": start + molecules.index(True), "caption": start + molecules.index(False)}
    return roles | ({"cid": 0} if start else {})


def _rows(path: Path, roles: Roles, names: list[str], has_header: bool) -> Iterator[RawRow]:
    width = len(names)
    lines = (line for line in read_lines(path) if line.fault is not None or line.text.strip())
    for line in islice(lines, 1, None) if has_header else lines:
        fields = line.text.split("\t")
        if line.fault is not None:
            yield RawRow(line.number, fault=line.fault)
        elif len(fields) != width:
            expected = f"{width} columns ({', '.join(names)})" if has_header else f"{width} columns"
            yield RawRow(line.number, fault=Fault("columns", expected, f"{len(fields)}: {shown(line.text)}"))
        else:
            yield _row(line, fields, roles)


def _row(line: Line, fields: list[str], roles: Roles) -> RawRow:
    smiles, caption = fields[roles["smiles"]], fields[roles["caption"]]
    cid = fields[roles["cid"]].strip() if "cid" in roles else ""
    if not line.ended and not _is_finished(caption):
        fault = Fault(
            "cut off", "a line end after the last row", f"{shown(caption[-30:])}: is the file cut off?"
        )
        return RawRow(line.number, fault=fault)
    return RawRow(line.number, smiles, caption, cid, notes=() if line.ended else ("no line end",))


def _is_finished(caption: str) -> bool:
    return caption.rstrip().endswith((".", "!", "?", ")", '"', "'"))


def open_csv(path: Path, named: Mapping[str, str] | None = None) -> PairFile:
    """Read a comma-separated table, quoted as spreadsheets do; it must have a header."""
    names = next((record.fields for record in read_records(path)), [])
    found = columns(names, named)
    if found is None:
        raise DataError(
            f"{path}:1: expected a header with a SMILES and a caption column, found {shown(','.join(names))}",
            hint="columns may be called smiles or molecule, and description or caption; others are named by "
            f"--set data.columns.smiles=NAME; columns: {', '.join(names)}",
        )
    roles = _places(path, names, found)

    def rows() -> Iterator[RawRow]:
        for record in islice(read_records(path), 1, None):
            if record.fault is not None:
                yield RawRow(record.line, fault=record.fault)
            else:
                yield _row(Line(record.line, ""), record.fields, roles)

    return PairFile(path, f"CSV ({', '.join(names)})", rows)


def open_lines(path: Path) -> PairFile | None:
    """Recognise one SMILES a line or one caption a line: inputs, or half of an aligned pair of files."""
    head = list(islice((line for line in read_lines(path) if line.fault is None and line.text.strip()), 20))
    if not head:
        return None
    texts = [line.text.strip() for line in head]
    if all(map(has_smiles_syntax, texts)):
        return PairFile(path, "one SMILES a line", lambda: _lines(path, "smiles"), frozenset({"smiles"}))
    if all(" " in text and re.search("[A-Za-z]{2}", text) for text in texts):
        return PairFile(path, "one caption a line", lambda: _lines(path, "caption"), frozenset({"caption"}))
    return None


def _lines(path: Path, role: str) -> Iterator[RawRow]:
    for line in read_lines(path):
        if line.fault is not None:
            yield RawRow(line.number, fault=line.fault)
        elif role == "smiles":
            yield RawRow(line.number, smiles=line.text)
        else:
            yield RawRow(line.number, caption=line.text)
