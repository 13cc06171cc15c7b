"""The solved rows that stand before a question: drawn once by seed, or the nearest that a retriever finds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from harness.api.errors import UsageError
from harness.api.example import Example
from harness.api.retrieval import Retriever
from harness.api.task import Task

BY_SEED = "seed"  # what `task.shots_by` is where no retriever is named


class Shots(Protocol):
    """Rows to show before another."""

    def before(self, example: Example, /) -> Sequence[Example]:
        """Return the rows that stand before a row, never the row itself."""
        ...


def shots_of(task: Task, examples: Sequence[Example]) -> Shots:
    """Return how the shots of a task's options are chosen among the rows of their split."""
    options = task.options
    if options.shots >= len(examples):
        raise UsageError(
            f"task.shots is {options.shots}, and split '{options.shots_split}' has {len(examples)} rows",
            hint=f"--set task.shots={max(len(examples) - 1, 0)}",
        )
    if options.shots_by == BY_SEED:
        return Drawn(examples, options.shots, options.shots_seed)
    return Nearest(task.open_retriever(options.shots_by), examples, options.shots)


class Drawn:
    """The same rows before every question."""

    def __init__(self, examples: Sequence[Example], count: int, seed: int) -> None:
        self.count = count
        self.rows = random.Random(seed).sample(examples, count + 1)  # one in the place of the row itself

    def before(self, example: Example) -> Sequence[Example]:
        """Return the drawn rows."""
        return [shot for shot in self.rows if not _same(shot, example)][: self.count]


class Nearest:
    """The rows whose inputs are most like a row's own, the nearest last, where a model sees it best."""

    def __init__(self, retriever: Retriever, examples: Sequence[Example], count: int) -> None:
        self.count = count
        self.rows = list({_text(example): example for example in reversed(examples)}.values())[::-1]
        self.index = retriever.index([_text(row) for row in self.rows])

    def before(self, example: Example) -> Sequence[Example]:
        """Search for what a row says; of all rows at most two can be the row itself, by text or by id."""
        found = [self.rows[hit.place] for hit in self.index.search(_text(example), self.count + 2)]
        return [shot for shot in found if not _same(shot, example)][: self.count][::-1]


def _same(one: Example, other: Example) -> bool:
    return one.id == other.id or one.inputs == other.inputs


def _text(example: Example) -> str:
    return "\n".join(example.inputs.values())
