"""Metrics of scored rows, one by one, so that one that fails costs the others nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

from harness.api.errors import DataError, HarnessError
from harness.api.example import Pairs, Score
from harness.api.metric import Metrics

if TYPE_CHECKING:
    from harness.metrics.statistics import Floats

RESAMPLES, SEED, LEVEL = 10_000, 0, 0.95
_OF_SEVERAL = re.compile(r" (pass|maj)@\d+$")


def measure(pairs: Pairs, metrics: Metrics) -> dict[str, Score]:
    """Compute metrics; one that fails leaves a reason in its place.

    Where rows have several answers, a metric is meaned over them, and `NAME pass@k` and `NAME maj@K` follow
    those by which an answer is right or wrong.
    """
    parts = _by_answer(pairs)
    found = [_measured(part, metrics) for part in parts]
    if len(found) == 1:
        return found[0]
    from .repeats import over_answers  # here, because numpy is not needed before there is something to score

    return over_answers(parts, found, metrics)


def metric_of(column: str) -> str:
    """Return the metric behind a column: `exact-match` of `exact-match pass@8`."""
    return _OF_SEVERAL.sub("", column)


def _by_answer(pairs: Pairs) -> list[Pairs]:
    """Return the rows with their first answers, with their second ones, and so on."""
    times = {len(prediction.repeats) for _, prediction in pairs} or {0}
    if len(times) > 1:
        raise DataError(f"some rows have {min(times) + 1} answers, others {max(times) + 1}")
    if times == {0}:
        return [pairs]
    shared = pairs.cache.setdefault("shared", {})
    answers = [
        [(example, replace(said, repeats=())) for said in (first, *first.repeats)] for example, first in pairs
    ]
    return [replace(pairs, rows=part, cache={"shared": shared}) for part in zip(*answers, strict=True)]


def _measured(pairs: Pairs, metrics: Metrics) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    for name, (entry, metric) in metrics.items():
        try:
            score = _sound(metric(pairs), len(pairs))
        except HarnessError as error:
            note = f"{error.message} ({error.hint})" if error.hint else error.message
            score = Score(name, None, len(pairs), note=note)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  one metric must not cost the others theirs
            score = Score(name, None, len(pairs), note=_failure(error))
        better, details = entry.higher_is_better, {**score.details, **_of_groups(pairs, score)}
        scores[name] = replace(
            score, metric=name, version=entry.version, higher_is_better=better, details=details
        )
    return scores


def _of_groups(pairs: Pairs, score: Score) -> dict[str, float]:
    """Return the mean of each part of the set, by what rows say of themselves in `meta["groups"]`."""
    values: dict[str, dict[str, list[float]]] = {}
    for (example, _), value in zip(pairs, score.per_example or (), strict=False):
        if value is not None:
            for name, part in example.meta.get("groups", {}).items():
                values.setdefault(name, {}).setdefault(part, []).append(float(value))
    return {
        f"{name}: {part}": math.fsum(found) / len(found)
        for name, parts in values.items()
        if len(parts) > 1
        for part, found in sorted(parts.items())
    }


def resample(
    scores: Mapping[str, Score], resamples: int = RESAMPLES, seed: int = SEED
) -> tuple[dict[str, Score], dict[str, Floats]]:
    """Return the scores and their values over drawn rows, the same draws for all of them.

    A score that cannot be resampled has no draws; one that fails to be loses its value for a reason.
    """
    # Here, because numpy is not needed before there is something to score.
    from .statistics import bootstrap_draws

    sound = dict(scores)
    try:
        found = bootstrap_draws(list(scores.values()), resamples, seed)
    except Exception:  # noqa: BLE001  one of them; alone it is named
        found = []
        for name, score in scores.items():
            try:
                found += bootstrap_draws([score], resamples, seed)
            except Exception as error:  # noqa: BLE001  a stranger's score; the others keep theirs
                sound[name] = replace(score, value=None, note=_failure(error))
                found.append(None)
    draws = {name: drawn for name, drawn in zip(scores, found, strict=True) if drawn is not None}
    return sound, draws


def with_intervals(scores: Mapping[str, Score]) -> dict[str, Score]:
    """Add bootstrap intervals where a metric has none of its own."""
    from .statistics import percentiles  # here, as in `resample`

    bare = {name: score for name, score in scores.items() if score.interval is None}
    sound, draws = resample({name: score for name, score in bare.items() if score.n > 1})
    found = {name: percentiles(drawn, LEVEL) for name, drawn in draws.items()}
    return {
        name: replace(sound.get(name, score), interval=found.get(name, score.interval))
        for name, score in scores.items()
    }


def _failure(error: BaseException) -> str:
    return f"failed: {type(error).__name__}: {error}"


def _sound(score: Any, rows: int) -> Score:
    """Refuse what cannot stand in a table."""
    if not isinstance(score, Score):
        raise TypeError(f"it returned {score!r:.80}, which is no Score")
    if not isinstance(score.note, str):
        raise TypeError(f"its note is {score.note!r:.80}, which is no text")
    if score.value is not None and not _is_number(score.value):
        if score.note:  # it says itself why there is no number
            return replace(score, value=None)
        raise ValueError(f"its value is {score.value!r:.80}")
    if score.interval is not None and not _is_interval(score.interval):
        raise ValueError(f"its interval is {score.interval!r:.80}")
    if score.per_example is not None:
        if len(score.per_example) != rows:
            raise ValueError(f"it has {len(score.per_example)} values for {rows} rows")
        if wrong := [value for value in score.per_example if value is not None and not _is_number(value)]:
            raise ValueError(f"its value of a row is {wrong[0]!r:.80}")
    return score


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _is_interval(bounds: Sequence[Any]) -> bool:
    return len(bounds) == 2 and all(map(_is_number, bounds)) and bounds[0] <= bounds[1]


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
