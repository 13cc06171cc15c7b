"""L+M-24's property sets of training molecules, and the property combinations it holds out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from harness import DataError
from harness.data.text_lines import Fault, Line, read_lines, shown

from .raw_row import PairFile, RawRow


def read_property_sets(path: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield (SMILES, properties) from `train_props.txt`: a SMILES, a tab and a set of names a line."""
    for line in read_lines(path):
        smiles, properties = _property_set(_usable(path, line))
        if properties is None:
            raise DataError(f"{path}:{line.number}: expected a SMILES and a set, found {shown(line.text)}")
        yield smiles, properties


def read_combinations(path: Path) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield (two properties, occurrences) from `withheld_combos.txt`; repeated lines are kept."""
    for line in read_lines(path):
        pair, count = _combination(_usable(path, line))
        if pair is None:
            raise DataError(f"{path}:{line.number}: expected two names and a count, found {shown(line.text)}")
        yield pair, count


def _usable(path: Path, line: Line) -> str:
    if line.fault is not None:
        raise line.fault.at(path, line.number)
    return line.text


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _property_set(text: str) -> tuple[str, frozenset[str] | None]:
    smiles, _, names = text.partition("\t")
    value = _literal(names) if names.startswith("{'") or names.startswith('{"') else None
    return smiles, frozenset(value) if isinstance(value, set) else None


def _combination(text: str) -> tuple[tuple[str, str] | None, int]:
    names, _, count = text.partition("\t")
    value = _literal(names) if names.startswith("(") and count.isdecimal() else None
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(name, str) for name in value):
        return value, int(count)
    return None, 0


def open_property_sets(path: Path) -> PairFile | None:
    """Recognise `train_props.txt`, for a check of its rows."""
    first = next(islice(read_lines(path), 1), None)
    if first is None or _property_set(first.text)[1] is None:
        return None

    def rows() -> Iterator[RawRow]:
        for line in read_lines(path):
            smiles, properties = _property_set(line.text)
            expected = Fault("properties", "a SMILES and a set of properties", shown(line.text))
            fault = line.fault or (expected if properties is None else None)
            yield RawRow(line.number, smiles, fault=fault)

    return PairFile(path, "property sets (SMILES and properties)", rows, frozenset({"smiles"}))


def open_combinations(path: Path) -> PairFile | None:
    """Recognise `withheld_combos.txt`, for a check of its rows."""
    first = next(islice(read_lines(path), 1), None)
    if first is None or _combination(first.text)[0] is None:
        return None

    def rows() -> Iterator[RawRow]:
        for line in read_lines(path):
            pair, _ = _combination(line.text)
            expected = Fault("combination", "two properties and a count", shown(line.text))
            yield RawRow(line.number, fault=line.fault or (expected if pair is None else None))

    return PairFile(path, "held-out property combinations", rows, frozenset())
