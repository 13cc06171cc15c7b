"""A table, its lines and its cells: what they hold, as it is kept, hashed and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict


class Cell(TypedDict):
    """A line's value of one measure, and where it stands in its column; without a value only why."""

    value: float | None
    note: str
    rank: int | None
    interval: NotRequired[list[float] | None]
    training_sd: NotRequired[float | None]
    sampling_sd: NotRequired[float | None]
    rank_range: NotRequired[list[int] | None]
    best_share: NotRequired[float | None]
    p_next: NotRequired[float | None]
    medal: NotRequired[str]
    group: NotRequired[int]


class Line(TypedDict):
    """One line of a table: the rows of a series, which differ only in their seeds."""

    id: str
    name: str
    trust: str
    trust_reason: str
    scores: dict[str, Cell]
    overall: Cell
    win_rate: float | None
    borda: float | None
    unrankable: str  # why it has no overall rank
    details: dict[str, dict[str, float]]
    health: Mapping[str, Any]
    clean: Mapping[str, Any]
    cost: Mapping[str, Any]
    flags: list[dict[str, str]]  # rows with the same answers, or nearly
    members: list[dict[str, Any]]
    about: dict[str, Any]
    toolkit: Mapping[str, str]


class Table(TypedDict):
    """One task, split, version and set of rows, with everything that stands in its table."""

    schema: int
    id: str
    task: str
    split: str
    source: str
    sample: bool
    version: str
    digest: str
    rows: int
    summary: str
    metrics: list[dict[str, Any]]
    lines: list[Line]
    reported: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    stability: list[list[str]]
    toolkits: list[dict[str, str]]
    trust: Mapping[str, str]
    notice: NotRequired[list[str]]  # what people are told beside answers


Tables = Sequence[Table]
