"""What a table keeps of its task, so that it can be built without the task's data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness import Example, Prediction, Score, TaskView
from harness.scoring.measure import measure

from ..intake.tasks import BLIND, source_of


def task_card(view: TaskView) -> dict[str, Any]:
    """Describe a task as its table shows it."""
    zeros, ones = reference_scores(view)
    return {
        "task": view.name,
        "split": view.split,
        "source": source_of(view),
        "sample": view.sample,
        "version": view.task.version,
        "digest": view.digest,
        "rows": len(view.examples),
        "summary": view.summary,
        "metrics": [
            {
                "name": name,
                "version": entry.version,
                "summary": entry.summary,
                "definition": entry.definition,
                "scale": entry.scale,
                "range": list(entry.range),
                "higher_is_better": entry.higher_is_better,
                "silence_wins": entry.silence_wins,
                "kind": entry.kind,
                "ranked": entry.ranked and view.split != BLIND and not _is_variant(name, view),
                "reference": _points(zeros[name], ones[name]),
            }
            for name, (entry, _) in view.metrics.items()
        ],
    }


def _is_variant(name: str, view: TaskView) -> bool:
    """Whether a metric is another definition of one that stands beside it: `maccs@molt5` beside `maccs`."""
    base, variant, _ = name.partition("@")
    return bool(variant) and base in view.metrics


def reference_scores(view: TaskView) -> tuple[dict[str, Score], dict[str, Score]]:
    """Score two imaginary systems: one that always says nothing, and one that says the references."""
    return _as_if(view, lambda _: ""), _as_if(view, lambda example: next(iter(example.references), ""))


def _as_if(view: TaskView, say: Callable[[Example], str]) -> dict[str, Score]:
    said: Sequence[tuple[Example, Prediction]] = [
        (example, Prediction(example.id, text, text)) for example in view.examples for text in [say(example)]
    ]
    return measure(view.pairs(said), view.metrics)


def _points(zero: Score, one: Score) -> list[float] | None:
    """Return the two fixed points of a metric, where both systems have a value."""
    return None if zero.value is None or one.value is None else [zero.value, one.value]
