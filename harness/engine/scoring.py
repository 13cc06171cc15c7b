"""From completions to numbers: answers read, metrics computed with their intervals, both kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.api.errors import HarnessError
from harness.api.example import Completion, Example, Pairs, Score
from harness.api.metric import Metric, MetricEntry

from .clean_subset import clean_subset
from .data import predict
from .prepared import Prepared
from .run_dir import PREDICTIONS, SCORES, write_json, write_rows


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of a run and, row for row, what they were computed from."""

    scores: Mapping[str, Score]
    rows: Sequence[Mapping[str, Any]]
    overlap: Mapping[str, Any] = field(default_factory=dict)  # rows that training gives away


def score_run(prepared: Prepared, examples: Sequence[Example], completions: Sequence[Completion]) -> Scored:
    """Read answers and compute every metric with its interval."""
    data = prepared.data
    pairs = [
        (example, predict(data.task, data.request(example), example, completion))
        for example, completion in zip(examples, completions, strict=True)
    ]

    def targets() -> Iterator[str]:
        for example in data.examples(data.task.data.train_split):
            yield data.task.target(example)

    has_training = data.task.data.train_split in data.task.splits()
    scored = Pairs(pairs, training_targets=targets if has_training else None)
    scores = score_pairs(scored, prepared.metrics)
    overlap: Mapping[str, Any] = {}
    if has_training:
        train = data.examples(data.task.data.train_split)
        overlap = clean_subset(
            data.task, train, scored, lambda part: score_pairs(part, prepared.metrics, intervals=False)
        )
    rows = [
        {
            "id": example.id,
            "inputs": dict(example.inputs),
            "references": list(example.references),
            "text": prediction.text,
            "raw": prediction.raw,
            "finish": completion.finish,
            "scores": {n: s.per_example[i] for n, s in scores.items() if s.per_example is not None},
        }
        for i, ((example, prediction), completion) in enumerate(zip(pairs, completions, strict=True))
    ]
    return Scored(scores, rows, overlap)


def save_scored(directory: Path, scored: Scored) -> None:
    """Write predictions and scores, each whole or not at all."""
    write_rows(directory / PREDICTIONS, scored.rows)
    write_json(directory / SCORES, {name: score_as_json(score) for name, score in scored.scores.items()})


def score_pairs(
    pairs: Pairs, metrics: Mapping[str, tuple[MetricEntry, Metric]], *, intervals: bool = True
) -> dict[str, Score]:
    """Compute metrics with their intervals; one that fails leaves a reason in its place."""
    # Here, because numpy is not needed before there is something to score.
    from harness.metrics.statistics import bootstrap_interval

    scores: dict[str, Score] = {}
    for name, (entry, metric) in metrics.items():
        try:
            score = _sound(metric(pairs), len(pairs))
            if intervals and score.interval is None and score.value is not None and len(pairs) > 1:
                score = replace(score, interval=bootstrap_interval(score))
        except HarnessError as error:
            note = f"{error.message} ({error.hint})" if error.hint else error.message
            score = Score(name, None, len(pairs), note=note)
        except (Exception, SystemExit) as error:  # noqa: BLE001  one metric must not cost the others theirs
            score = Score(name, None, len(pairs), note=f"failed: {type(error).__name__}: {error}")
        scores[name] = replace(
            score, metric=name, version=entry.version, higher_is_better=entry.higher_is_better
        )
    return scores


def _sound(score: Any, rows: int) -> Score:
    """Refuse what cannot stand in a table."""
    if not isinstance(score, Score):
        raise TypeError(f"it returned {score!r:.80}, which is no Score")
    if score.value is not None and not math.isfinite(score.value):
        raise ValueError(f"its value is {score.value}")
    if score.per_example is not None and len(score.per_example) != rows:
        raise ValueError(f"it has {len(score.per_example)} values for {rows} rows")
    return score


def score_as_json(score: Score) -> dict[str, Any]:
    """Return a score as it goes into files; per-example values are kept with the predictions."""
    return {
        "value": score.value,
        "n": score.n,
        "interval": list(score.interval) if score.interval else None,
        "version": score.version,
        "higher_is_better": score.higher_is_better,
        "note": score.note,
        "details": dict(score.details),
    }
