"""The scores on rows that training does not give away, beside the scores on all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.api.example import Pairs
from harness.api.workbench import TaskView

from .measure import measure, metric_of


@dataclass(frozen=True, slots=True)
class CleanSubset:
    """What a task finds given away, by kind, and what the other rows score.

    `counts` is empty where the task cannot tell, and `scores` where all rows or none are given away.
    `failed` says why nothing could be found.
    """

    rows: int
    clean: int
    counts: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[str, float | None] = field(default_factory=dict)
    failed: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what a run's record keeps; nothing where the task cannot tell."""
        if self.failed:
            return {"failed": self.failed}
        if not self.counts:
            return {}
        facts = {"counts": dict(self.counts), "rows": self.rows, "clean_rows": self.clean}
        return facts | ({"clean_scores": dict(self.scores)} if self.scores else {})

    def told(self, scales: Mapping[str, float]) -> Sequence[str]:
        """Say in a sentence what a reader of the table must know; nothing where no row is given away."""
        if self.failed:
            return (f"what training rows give away could not be found ({self.failed})",)
        if self.clean == self.rows:
            return ()
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in self.counts.items() if count)
        text = f"{self.rows - self.clean:,} of {self.rows:,} rows are given away by training rows ({kinds})"
        values = [
            f"{name} {value * scales.get(metric_of(name), 1.0):.1f}"
            for name, value in self.scores.items()
            if value is not None
        ]
        return (f"{text}; on the other {self.clean:,}: {', '.join(values)}" if values else text,)


def clean_subset(view: TaskView, pairs: Pairs) -> CleanSubset:
    """Find the rows that training gives away, and score the rest."""
    try:
        found = _given_away(view)
    except Exception as error:  # noqa: BLE001  a stranger's comparison must not cost the run its numbers
        return CleanSubset(len(pairs), len(pairs), failed=f"{type(error).__name__}: {error}")
    leaked = frozenset().union(*found.values())
    clean = [row for row in pairs if row[0].id not in leaked]
    counts = {kind: len(ids) for kind, ids in found.items()}
    if not 0 < len(clean) < len(pairs):
        return CleanSubset(len(pairs), len(clean), counts)
    values = {name: score.value for name, score in measure(view.pairs(clean), view.metrics).items()}
    return CleanSubset(len(pairs), len(clean), counts, values)


def _given_away(view: TaskView) -> Mapping[str, frozenset[str]]:
    """Compare a view's rows with its training rows, once for all who answer them."""
    if view.training is None:
        return {}
    key = ("given away", tuple(example.id for example in view.examples))
    if key not in view.cache:
        view.cache[key] = view.task.seen_in_training(view.training(), view.examples)
    found: Mapping[str, frozenset[str]] = view.cache[key]
    return found
