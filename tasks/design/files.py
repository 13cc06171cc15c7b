"""Requests of one's own: JSON rows with constraints, one file a split.

    {"id": "r1", "constraints": [{"measure": "rings", "low": 2, "high": 2}], "answer": "c1ccc2ccccc2c1"}

`smiles` is the molecule to change, where one is given; `wanted` says in words what the constraints ask, and
without it the words are ours; `answer` is one molecule that has everything, which training needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness import DataError, DataReport, Finding
from harness.chem.constraints import judge, read_constraints
from harness.chem.molecules import Molecules
from harness.chem.smiles import molecule
from harness.data.json_items import Item, read_items
from harness.data.split_files import WORDS, files_of

from .rows import Row

FIELDS = ("id", "constraints", "smiles", "wanted", "answer", "combination")
SHOWN = 5  # findings of one kind that a report holds whole


def splits(source: Path) -> tuple[str, ...]:
    """Name the splits that a file or folder holds."""
    return tuple(split for split in WORDS if files_of(source, split))


def read(source: Path, split: str, *, given: bool, skip_bad_rows: bool, notes: list[str]) -> Iterator[Row]:
    """Yield the rows of a split; `given` wants a molecule to change in each."""
    skipped = 0
    for row in _rows(source, split, given):
        if isinstance(row, Row):
            yield row
        elif skip_bad_rows:
            skipped += 1
        else:
            hint = "run-bench data check lists every bad row; --skip-bad-rows leaves them out"
            raise DataError(str(row), hint=hint)
    if skipped:
        notes.append(f"{source}: left out {skipped:,} bad rows of {split}")


def check(source: Path, *, given: bool) -> DataReport:
    """Read every row of every split, and count what is wrong."""
    rows, forms, findings, counts = Counter[str](), dict[str, str](), list[Finding](), Counter[str]()
    for split in splits(source):
        forms |= {str(path): "requests in JSON" for path in files_of(source, split)}
        for row in _rows(source, split, given):
            if isinstance(row, Row):
                rows[split] += 1
                continue
            counts[row.kind] += 1
            if counts[row.kind] <= SHOWN:
                findings.append(row)
    return DataReport(rows, forms, tuple(findings), counts)


def _rows(source: Path, split: str, given: bool) -> Iterator[Row | Finding]:
    files = files_of(source, split)
    if not files:
        raise DataError(f"{source} has no file for split '{split}'", hint=f"expected {split}.jsonl")
    molecules = Molecules()
    for path in files:
        for item in read_items(path):
            yield _row(item, path, split, given, molecules)


def _row(item: Item, path: Path, split: str, given: bool, molecules: Molecules) -> Row | Finding:
    """Return a row, or what is wrong with it."""

    def wrong(kind: str, expected: str, found: str) -> Finding:
        return Finding(kind, str(path), item.line, expected, found)

    if item.fault is not None:
        return wrong(item.fault.kind, item.fault.expected, item.fault.found)
    value: Mapping[str, Any] = item.value
    for name in value:
        if name not in FIELDS:
            return wrong("field", f"only {', '.join(FIELDS)}", f"'{name}'")
        if name != "constraints" and not isinstance(value[name], str):
            return wrong("field", f"a text as '{name}'", repr(value[name])[:80])
    try:
        constraints = read_constraints(value.get("constraints"))
    except DataError as error:
        return wrong("constraints", "constraints", error.message)
    smiles, answer = value.get("smiles", ""), value.get("answer", "")
    if given and molecule(smiles) is None:
        return wrong("smiles", "a molecule to change as 'smiles'", repr(smiles))
    if answer and not judge(constraints, molecules[answer]).all_met:
        return wrong("answer", "an answer that has everything asked", repr(answer))
    name = value.get("id", f"{split}-{item.line:06d}")
    return Row(name, constraints, answer, value.get("combination", ""), smiles, value.get("wanted", ""))
