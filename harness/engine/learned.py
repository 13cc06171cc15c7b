"""What a stage learns: the rows of its tasks, mixed, with a digest, and those who score what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge

from harness.api.rows import Evaluator, Judge, PromptRow, TrainData, TrainRow
from harness.api.spec import DataSpec
from harness.api.stage import StageEntry

from .data import TaskData


def asks(stage: StageEntry) -> bool:
    """Whether a stage learns from answers that are sampled while it trains, and so from prompts alone."""
    return PromptRow in stage.rows


def training_data(
    parts: Sequence[TaskData],
    spec: DataSpec,
    stage: StageEntry,
    *,
    evaluator: Evaluator | None = None,
    judge: Judge | None = None,
) -> TrainData:
    """Return the rows of one or several tasks, mixed to their end, with those that are validated on."""
    split, limit = spec.train_split, spec.train_limit
    train: Iterable[TrainRow]
    if any(part.task.fingerprint(split) for part in parts):
        train = StreamedRows(parts, spec, stage)
    else:
        rows = [list(_rows(part, stage, split, limit)) for part in parts]
        train = list(_mixed(rows, [len(of_part) for of_part in rows]))
    validation: list[TrainRow] = []
    for part in parts:
        if spec.validation_split in part.task.splits():
            validation += _rows(part, stage, spec.validation_split, None)
    taught = Taught(parts, spec) if asks(stage) else ()
    return TrainData(train, validation, training_digest(parts, spec, stage), evaluator, judge, taught)


@dataclass(frozen=True, slots=True)
class Taught:
    """The answers in the data to what is asked while training; they are read only where they are wanted."""

    parts: Sequence[TaskData]
    spec: DataSpec

    def __iter__(self) -> Iterator[TrainRow]:
        rows = [list(part.rows(self.spec.train_split, self.spec.train_limit)) for part in self.parts]
        return _mixed(rows, [len(of_part) for of_part in rows])


class StreamedRows:
    """Rows of tasks larger than memory, mixed; iterated anew for every epoch.

    Several tasks are counted once, by reading them, so that the mixture is the same from first to last.
    """

    def __init__(self, parts: Sequence[TaskData], spec: DataSpec, stage: StageEntry) -> None:
        self._parts = parts
        self._spec = spec
        self._stage = stage
        self._sizes = [1] if len(parts) == 1 else [sum(1 for _ in stream) for stream in self._streams()]

    def __iter__(self) -> Iterator[TrainRow]:
        return _mixed(self._streams(), self._sizes)

    def _streams(self) -> list[Iterator[TrainRow]]:
        split, limit = self._spec.train_split, self._spec.train_limit
        return [_rows(part, self._stage, split, limit) for part in self._parts]


def training_digest(parts: Sequence[TaskData], spec: DataSpec, stage: StageEntry) -> str:
    """Hash everything that is learned from: rows and prompt formats of every task."""
    split = spec.train_split
    total = hashlib.sha256()
    for part in parts:
        total.update(f"{part.name} {part.prompt_digest} {spec.train_limit}\n".encode())
        if streamed := part.task.fingerprint(split):
            total.update(f"{streamed} {part.task.version}\n".encode())
            continue
        if asks(stage):  # of prompts, what is judged by is learned from too
            total.update(part.digest(split).encode())
        for row in _rows(part, stage, split, spec.train_limit):  # as learned, not as it is in the data
            total.update(repr(row).encode("utf-8", "surrogatepass") + b"\n")
    return total.hexdigest()[:16]


def _rows(part: TaskData, stage: StageEntry, split: str, limit: int | None) -> Iterator[TrainRow]:
    return part.prompts(split, limit) if asks(stage) else part.rows(split, limit)


def _mixed(streams: Sequence[Iterable[TrainRow]], sizes: Sequence[int]) -> Iterator[TrainRow]:
    """Merge rows in proportion to how many there are of each kind, keeping each one's order."""

    def placed(which: int) -> Iterator[tuple[float, int, TrainRow]]:
        for index, row in enumerate(streams[which]):
            yield (index + 0.5) / sizes[which], which, row

    placed_rows = merge(*map(placed, range(len(streams))), key=lambda place: place[:2])
    return (row for _, _, row in placed_rows)
