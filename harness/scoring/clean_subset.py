"""The scores on rows that training does not give away, beside the scores on all rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness.api.example import Example, Pairs, Score
from harness.api.task import Task


def clean_subset(
    task: Task, train: Iterable[Example], pairs: Pairs, score: Callable[[Pairs], Mapping[str, Score]]
) -> Mapping[str, Any]:
    """Count what the task finds given away, by kind, and score the rest; empty where the task cannot tell."""
    try:
        found = task.seen_in_training(train, [example for example, _ in pairs])
    except Exception as error:  # noqa: BLE001  a stranger's comparison must not cost the run its numbers
        return {"failed": f"{type(error).__name__}: {error}"}
    if not found:
        return {}
    leaked = frozenset().union(*found.values())
    clean = [row for row in pairs if row[0].id not in leaked]
    facts: dict[str, Any] = {
        "counts": {kind: len(ids) for kind, ids in found.items()},
        "rows": len(pairs),
        "clean_rows": len(clean),
    }
    if 0 < len(clean) < len(pairs):
        # Here, because it imports numpy, which a run without leaks never needs for this.
        from harness.metrics.rows import shared

        parsed = {"shared": shared(pairs)}  # texts and molecules are read once for both scorings
        part = Pairs(clean, pairs.training_targets, pairs.vocab, parsed)
        scores = score(part)
        facts["clean_scores"] = {name: score.value for name, score in scores.items()}
    return facts


def told(facts: Mapping[str, Any], scales: Mapping[str, float]) -> Sequence[str]:
    """Say in a sentence what a reader of the table must know; nothing where no row is given away."""
    if "failed" in facts:
        return (f"what training rows give away could not be found ({facts['failed']})",)
    if not facts or facts["clean_rows"] == facts["rows"]:
        return ()
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in facts["counts"].items() if count)
    leaked = facts["rows"] - facts["clean_rows"]
    text = f"{leaked:,} of {facts['rows']:,} rows are given away by training rows ({kinds})"
    values = [
        f"{name} {value * scales.get(name, 1.0):.1f}"
        for name, value in facts.get("clean_scores", {}).items()
        if value is not None
    ]
    return (f"{text}; on the other {facts['clean_rows']:,}: {', '.join(values)}" if values else text,)
