"""A paper's numbers held against the files they came from: each cell agrees, is off, or cannot be checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from harness import DataError, HarnessError, TaskView
from harness.files.archives import open_files
from harness.scoring.measure import measure

from .board.scored import read_answers
from .intake.foreign import import_foreign
from .intake.tasks import OpenTask

AGREES, OFF, UNCHECKED = "agrees", "off by", "cannot be checked"
DIGITS = 4  # decimals from which on equal numbers are no accident
MAX_BYTES, MAX_VALUES = 2**20, 100_000  # of a file of claims, each alias counted as what it stands for
KEYS = {"task", "split", "data", "file", "form", "cells", "row"}


@dataclass(frozen=True, slots=True)
class Claim:
    """The cells of one row of a paper's table, and the file of answers behind them."""

    paper: str
    table: str
    row: str
    task: str
    data: str
    file: str
    cells: Mapping[str, str]  # column -> the number as it is printed
    columns: Mapping[str, Sequence[str]]  # column -> the metrics that it could stand for, likeliest first
    split: str = "test"
    form: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of one cell. `tried` holds every definition's value in the paper's scale."""

    paper: str
    table: str
    row: str
    column: str
    printed: str
    verdict: str
    metric: str = ""  # the definition that agrees, or comes nearest
    value: float | None = None
    difference: float | None = None  # printed minus computed
    reason: str = ""
    tried: Mapping[str, float] = field(default_factory=dict)


def read_claims(path: Path) -> list[Claim]:
    """Read a YAML file of claims; every fault is one sentence with its place."""
    # Here, because only this verb reads YAML.
    import yaml

    text = open_files(path, MAX_BYTES).get(path.name)
    if text is None:  # a folder or an archive, which holds other names
        raise DataError(f"{path} is no file of claims", hint="name a YAML file")
    try:
        loader = yaml.SafeLoader(text.decode())
        root = loader.get_single_node()
        if _size(root, {}) > MAX_VALUES:  # a few lines of aliases of aliases stand for gigabytes
            raise DataError(f"{path} stands for more than {MAX_VALUES:,} values", hint="write fewer aliases")
        loaded = loader.construct_document(root) if root is not None else None
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())[:300]}") from error
    found: list[Claim] = []
    for number, table in enumerate(_list(loaded, "tables", path), 1):
        where = f"{path}, table {number}"
        columns = {str(c): _metrics(m, f"{where}, {c}") for c, m in _mapping(table, "columns", where).items()}
        for place, row in enumerate(_list(table, "rows", where), 1):
            found.append(_claim(table, row, columns, f"{where}, row {place}"))
    return found


def _metrics(names: Any, where: str) -> list[str]:
    if not isinstance(names, list):
        raise DataError(f"{where}: expected a list of metrics, found {names!r:.60}")
    return [str(name) for name in names]


def _size(node: Any, known: dict[int, float]) -> float:
    """Count the values that a YAML node stands for; one that holds itself stands for infinitely many."""
    if id(node) not in known:
        known[id(node)] = math.inf
        parts = node.value if isinstance(getattr(node, "value", None), list) else []
        flat = [part for item in parts for part in (item if isinstance(item, tuple) else (item,))]
        known[id(node)] = 1 + sum(_size(part, known) for part in flat)
    return known[id(node)]


def _claim(table: Mapping[str, Any], row: Any, columns: Mapping[str, Sequence[str]], where: str) -> Claim:
    merged = {key: value for key, value in table.items() if key in KEYS} | dict(row)
    cells = {str(column): str(value) for column, value in _mapping(merged, "cells", where).items()}
    if missing := [key for key in ("paper", "table") if key not in table]:
        raise DataError(f"{where}: its table has no '{missing[0]}'")
    if missing := [key for key in ("row", "task") if key not in merged]:
        raise DataError(f"{where} has no '{missing[0]}'")
    if unknown := [column for column in cells if column not in columns]:
        raise DataError(f"{where}: column '{unknown[0]}' is not among the table's columns")
    for column, value in cells.items():
        _places(value, f"{where}, {column}")
    return Claim(
        paper=str(table["paper"]),
        table=str(table["table"]),
        row=str(merged["row"]),
        task=str(merged["task"]),
        data=str(merged.get("data", "")),
        file=str(merged.get("file", "")),
        cells=cells,
        columns=columns,
        split=str(merged.get("split", "test")),
        form=str(merged.get("form", "")),
    )


def metrics_of(claims: Sequence[Claim]) -> list[str]:
    """Return every metric that some cell could stand for."""
    names = [name for claim in claims for column in claim.cells for name in claim.columns[column]]
    return list(dict.fromkeys(names))


def check(claims: Sequence[Claim], files: Path, open_task: OpenTask) -> Iterator[Cell]:
    """Score each claim's file under every definition and judge its cells."""
    for claim in claims:
        try:
            values, notes = _values(claim, files, open_task)
        except HarnessError as error:
            elsewhere = repeated(claim, claims)
            doubt = f"; it has the same numbers in '{elsewhere}': one of them is wrong" if elsewhere else ""
            for column in claim.cells:
                yield _cell(claim, column, verdict=UNCHECKED, reason=error.message + doubt)
            continue
        for column in claim.cells:
            yield _judged(claim, column, values, notes)


def repeated(claim: Claim, claims: Sequence[Claim]) -> str:
    """Name another table in which the same row has two or more of its numbers to the last of many digits.

    One system measured on different tasks does not reach that by chance.
    """
    for other in claims:
        if other.row == claim.row and (other.task, other.data) != (claim.task, claim.data):
            equal = [c for c, v in claim.cells.items() if other.cells.get(c) == v and _places(v, c) >= DIGITS]
            if len(equal) > 1:
                return other.table
    return ""


def _values(claim: Claim, files: Path, open_task: OpenTask) -> tuple[dict[str, float], dict[str, str]]:
    path = files / claim.file
    if not claim.file:
        raise DataError("no file of its answers is named")
    if not path.is_file():
        raise DataError(f"its file is not below {files}")
    blind = claim.data.startswith("blind-")
    view: TaskView = open_task(
        claim.task,
        claim.split,
        claim.data if blind else "",
        str(files / claim.data) if claim.data and not blind else "",
    )
    wanted = [name for column in claim.cells for name in claim.columns[column]]
    view = replace(
        view, metrics={name: view.metrics[name] for name in dict.fromkeys(wanted) if name in view.metrics}
    )
    submission = import_foreign(path, view, claim.row, claim.form)
    scores = measure(read_answers(submission, view), view.metrics)
    values = {name: score.value for name, score in scores.items() if score.value is not None}
    notes = {name: score.note for name, score in scores.items() if score.value is None}
    absent = "needs references, which are not public" if blind else "there is no such metric here"
    return values, notes | {name: absent for name in wanted if name not in scores}


def _judged(claim: Claim, column: str, values: Mapping[str, float], notes: Mapping[str, str]) -> Cell:
    printed = claim.cells[column]
    tried = {name: values[name] for name in claim.columns[column] if name in values}
    if not tried:
        reasons = {name: notes[name] for name in claim.columns[column]}
        each = [f"{name}: {reason}" for name, reason in reasons.items()]
        said = each if len(set(reasons.values())) > 1 else list(reasons.values())[:1]
        return _cell(claim, column, verdict=UNCHECKED, reason="; ".join(said))
    places = _places(printed, column)
    for name, value in tried.items():
        if _rounded(value, places) == Decimal(printed):
            return _cell(claim, column, AGREES, metric=name, value=value, difference=0.0, tried=tried)
    name = min(tried, key=lambda key: abs(tried[key] - float(printed)))
    gap = float(printed) - tried[name]
    cut = [name for name, value in tried.items() if _rounded(value, places, ROUND_DOWN) == Decimal(printed)]
    reason = f"agrees with {cut[0]} if digits are cut, not rounded" if cut else ""
    facts = {"metric": name, "value": tried[name], "difference": gap, "reason": reason}
    return _cell(claim, column, OFF, **facts, tried=tried)


def _cell(claim: Claim, column: str, verdict: str, **facts: Any) -> Cell:
    return Cell(claim.paper, claim.table, claim.row, column, claim.cells[column], verdict, **facts)


def _places(printed: str, where: str) -> int:
    """Return the decimals that a number is printed with."""
    try:
        exponent = Decimal(printed).as_tuple().exponent
    except InvalidOperation:
        raise DataError(f"{where}: '{printed}' is not a number", hint="quote it as it is printed") from None
    if not isinstance(exponent, int):
        raise DataError(f"{where}: '{printed}' is not a number")
    return max(0, -exponent)


def _rounded(value: float, places: int, how: str = ROUND_HALF_UP) -> Decimal:
    return Decimal(repr(value)).quantize(Decimal(1).scaleb(-places), how)


def definitions(cells: Sequence[Cell]) -> list[str]:
    """Say of each column of a table which definition reproduces it, best first."""
    found = []
    for column in dict.fromkeys(cell.column for cell in cells):
        checked = [cell for cell in cells if cell.column == column and cell.tried]
        names = dict.fromkeys(name for cell in checked for name in cell.tried)
        ranked = sorted(_fit(checked, name) for name in names)
        said = [
            f"{name} in {-agreeing} of {len(checked)}" + (f", off by up to {worst:.2g}" if worst else "")
            for agreeing, worst, name in ranked
        ]
        if said:
            found.append(f"{column} is {'; '.join(said)}")
    return found


def _fit(cells: Sequence[Cell], metric: str) -> tuple[int, float, str]:
    """Return minus the cells that a definition reproduces, and how far it is off in the others."""
    gaps = []
    for cell in cells:
        value = cell.tried.get(metric)
        same = value is not None and _rounded(value, _places(cell.printed, "")) == Decimal(cell.printed)
        gaps.append(0.0 if same else math.inf if value is None else abs(value - float(cell.printed)))
    return -gaps.count(0.0), max(gaps), metric


def _list(holder: Any, key: str, where: object) -> list[Any]:
    found = holder.get(key) if isinstance(holder, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        raise DataError(f"{where} has no list of '{key}'")
    return found


def _mapping(holder: Mapping[str, Any], key: str, where: object) -> Mapping[str, Any]:
    found = holder.get(key)
    if not isinstance(found, Mapping):
        raise DataError(f"{where} has no '{key}'")
    return found
