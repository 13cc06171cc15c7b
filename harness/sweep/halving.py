"""Successive halving: at each rung the trials of a task are compared, and only the better ones go on.

A trial is stopped where it has told its metric, with its state saved, and goes on from there when it may: no
step is trained twice, and what comes out at the end is the run that an uninterrupted training gives. What is
compared is read from the events of the trainings, so that a sweep that was killed comes to the same verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.engine.matrix import Cell
from harness.engine.registry import Registry
from harness.engine.run_dir import EVENTS
from harness.engine.stage import LOSS
from harness.files.rows import read_rows

from .file import Halving


def value_at(training: Path | None, metric: str, step: int) -> float | None:
    """Return a metric at the first look at the validation rows from a step on, once there was one."""
    if training is None or not (training / EVENTS).exists():
        return None
    for row in read_rows(training / EVENTS):
        if row.get("event") == "validation" and row["step"] >= step and metric in row:
            return float(row[metric])
    return None


def higher_is_better(registry: Registry, halving: Halving, cell: Cell) -> bool:
    """Whether more of the metric is better; less of the loss is."""
    if halving.metric == LOSS:
        return False
    return registry.metrics.get(halving.metric, near=cell.task.plugin).entry.higher_is_better


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rung has decided: which trials go on, and which do not, with what they had."""

    step: int
    go_on: Sequence[int] = ()
    stopped: Sequence[tuple[int, float]] = ()
    bar: float = math.nan  # the worst value that goes on


@dataclass(slots=True)
class Ladder:
    """The trials of one task on their way up."""

    halving: Halving
    higher_is_better: bool
    climbing: set[int]
    place: int = 0  # of the rung that is being climbed
    values: dict[int, float | None] = field(default_factory=dict)  # of those that are there

    @property
    def step(self) -> int:
        """The step at which the trials are compared next; 0 after the last rung."""
        rungs = self.halving.rungs
        return rungs[self.place] if self.place < len(rungs) else 0

    def arrive(self, number: int, value: float | None) -> Verdict | None:
        """Note what a trial had at the rung; with the last of them comes the verdict.

        One that ended without a word of the metric cannot be judged, and goes on.
        """
        self.values[number] = value
        return self._judge()

    def fall(self, number: int) -> Verdict | None:
        """Note that a trial failed."""
        self.climbing.discard(number)
        return self._judge()

    def _judge(self) -> Verdict | None:
        if not self.climbing or self.climbing - self.values.keys():
            return None
        told = {number: value for number in self.climbing if (value := self.values[number]) is not None}
        ranked = sorted(
            told, key=lambda number: (-told[number] if self.higher_is_better else told[number], number)
        )
        kept = math.ceil(len(ranked) * self.halving.keep)
        go_on = sorted(self.climbing - set(ranked[kept:]))
        step, self.climbing = self.step, set(go_on)
        self.place += 1
        self.values.clear()
        bar = told[ranked[kept - 1]] if ranked else math.nan
        return Verdict(step, go_on, [(n, told[n]) for n in ranked[kept:]], bar)
