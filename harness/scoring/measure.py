"""Metrics of scored rows, one by one, so that one that fails costs the others nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.api.errors import HarnessError
from harness.api.example import Pairs, Score
from harness.api.metric import Metric, MetricEntry


def score_pairs(
    pairs: Pairs, metrics: Mapping[str, tuple[MetricEntry, Metric]], *, intervals: bool = True
) -> dict[str, Score]:
    """Compute metrics with their intervals; one that fails leaves a reason in its place."""
    scores: dict[str, Score] = {}
    for name, (entry, metric) in metrics.items():
        try:
            score = _sound(metric(pairs), len(pairs))
        except HarnessError as error:
            note = f"{error.message} ({error.hint})" if error.hint else error.message
            score = Score(name, None, len(pairs), note=note)
        except (Exception, SystemExit) as error:  # noqa: BLE001  one metric must not cost the others theirs
            score = Score(name, None, len(pairs), note=_failure(error))
        scores[name] = replace(
            score, metric=name, version=entry.version, higher_is_better=entry.higher_is_better
        )
    return _with_intervals(scores) if intervals and len(pairs) > 1 else scores


def _with_intervals(scores: Mapping[str, Score]) -> dict[str, Score]:
    """Draw rows once for all scores; a score that cannot be resampled by its own fault says so."""
    # Here, because numpy is not needed before there is something to score.
    from harness.metrics.statistics import bootstrap_interval, bootstrap_intervals

    bare = {n: score for n, score in scores.items() if score.interval is None and score.value is not None}
    try:
        found = dict(zip(bare, bootstrap_intervals(list(bare.values())), strict=True))
    except Exception:  # noqa: BLE001  one of them; alone it is named
        found, failed = {}, {}
        for name, score in bare.items():
            try:
                found[name] = bootstrap_interval(score)
            except Exception as error:  # noqa: BLE001  a stranger's score; the others keep theirs
                failed[name] = replace(score, value=None, note=_failure(error))
        scores = {**scores, **failed}
    return {name: replace(s, interval=found[name]) if name in found else s for name, s in scores.items()}


def _failure(error: BaseException) -> str:
    return f"failed: {type(error).__name__}: {error}"


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
