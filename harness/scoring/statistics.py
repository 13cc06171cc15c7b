"""How sure a score is: bootstrap intervals, paired comparisons, and correction for many of them.

Every random draw comes from a seed, so the same scores give the same interval on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.api.errors import UsageError
from harness.api.example import Score
from harness.metrics.statistics import Floats, Sums, mean_sums

# Counts drawn at once: bounds memory to about 100 MiB whatever the number of rows.
_CELLS = 2_000_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two systems differ on the same rows: `a` minus `b`, its interval, and how surprising it is."""

    difference: float
    interval: tuple[float, float] | None
    p_value: float
    resamples: int


def bootstrap_interval(
    score: Score, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> tuple[float, float] | None:
    """Return the percentile interval of a score over rows drawn with replacement; None where it has none."""
    return bootstrap_intervals([score], resamples, seed, level)[0]


def bootstrap_intervals(
    scores: Sequence[Score], resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> list[tuple[float, float] | None]:
    """Return one interval a score, drawing rows once for all scores of the same number of rows."""
    draws = bootstrap_draws(scores, resamples, seed)
    return [None if drawn is None else percentiles(drawn, level) for drawn in draws]


def bootstrap_draws(scores: Sequence[Score], resamples: int = 10_000, seed: int = 0) -> list[Floats | None]:
    """Return each score's value over each resample of the rows, None where a score cannot be resampled.

    Scores of equally many rows see the same resamples, in this call and in any other with the same seed:
    draws of two systems on the same rows are paired.
    """
    found: list[Floats | None] = [None] * len(scores)
    measures = {i: m for i, score in enumerate(scores) if (m := _measure(score)) is not None}
    for n in sorted({scores[i].n for i in measures}):
        group = [i for i in measures if scores[i].n == n]
        values: dict[int, list[Floats]] = {i: [] for i in group}
        for weights in _row_counts(n, resamples, seed):
            for i in group:
                values[i].append(_one_each(measures[i](weights), len(weights)))
        for i in group:
            found[i] = np.concatenate(values[i])
    return found


def paired_bootstrap(
    a: Score, b: Score, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> Comparison:
    """Compare two systems by drawing the same rows for both; p is two-sided."""
    difference = _difference(a, b)
    measure_a, measure_b = _measure(a), _measure(b)
    if measure_a is None or measure_b is None:
        raise UsageError(f"'{a.metric}' cannot be resampled", hint="it has no value for single rows")
    draws = np.concatenate([measure_a(w) - measure_b(w) for w in _row_counts(a.n, resamples, seed)])
    draws = draws[~np.isnan(draws)]
    tail = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    p_value = min(1.0, 2 * (tail + 1) / (len(draws) + 1))
    return Comparison(difference, percentiles(draws, level), p_value, len(draws))


def permutation_test(a: Score, b: Score, resamples: int = 10_000, seed: int = 0) -> Comparison:
    """Test two systems by exchanging their answers row by row at random; p is two-sided."""
    difference = _difference(a, b)
    sums_a, sums_b = _measure(a), _measure(b)
    if not isinstance(sums_a, Sums) or not isinstance(sums_b, Sums):
        raise UsageError(
            f"'{a.metric}' cannot be tested by permutation", hint="it does not say its sums over rows"
        )
    total_a, total_b = sums_a.rows.sum(axis=0), sums_b.rows.sum(axis=0)
    change = sums_b.rows - sums_a.rows
    rng = np.random.default_rng(seed)
    extreme, drawn = 0, 0
    for size in _chunks(a.n, resamples):
        moved = rng.integers(0, 2, size=(size, a.n), dtype=np.int8).astype(np.float64) @ change
        swapped = sums_a.finish(total_a + moved) - sums_b.finish(total_b - moved)
        swapped = swapped[~np.isnan(swapped)]
        # A hair of tolerance: regrouped sums of the same rows differ in their last bits.
        extreme += int((np.abs(swapped) >= abs(difference) - 1e-12).sum())
        drawn += len(swapped)
    return Comparison(difference, None, (extreme + 1) / (drawn + 1), drawn)


def holm(pvalues: Sequence[float]) -> tuple[float, ...]:
    """Return p-values adjusted for having made all these comparisons (Holm's step-down method)."""
    adjusted = [0.0] * len(pvalues)
    worst = 0.0
    for rank, i in enumerate(sorted(range(len(pvalues)), key=lambda i: pvalues[i])):
        worst = max(worst, min(1.0, (len(pvalues) - rank) * pvalues[i]))
        adjusted[i] = worst
    return tuple(adjusted)


def _measure(score: Score) -> Callable[[Floats], Floats] | None:
    if score.value is None or score.n == 0:
        return None
    if score.resample is not None:
        return score.resample
    return mean_sums(score.per_example) if score.per_example is not None else None


def _one_each(values: object, resamples: int) -> Floats:
    """Hold a score's own function to what it promises: one number a resample."""
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (resamples,):
        raise ValueError(f"resample gave values of shape {found.shape} for {resamples} resamples")
    return found


def _difference(a: Score, b: Score) -> float:
    if (a.metric, a.version) != (b.metric, b.version):
        raise UsageError(f"cannot compare '{a.metric}' {a.version} with '{b.metric}' {b.version}")
    if a.n != b.n:
        raise UsageError(f"cannot compare '{a.metric}' over {a.n} rows with {b.n} rows")
    if a.value is None or b.value is None:
        raise UsageError(f"cannot compare '{a.metric}': one side has no value", hint=a.note or b.note)
    return a.value - b.value


def _chunks(n: int, resamples: int) -> Iterator[int]:
    if resamples < 1:
        raise UsageError(f"the number of resamples must be at least 1, not {resamples}")
    size = max(1, _CELLS // max(n, 1))
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def _row_counts(n: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield matrices that say how often each row is drawn in each resample."""
    rng = np.random.default_rng(seed)
    for size in _chunks(n, resamples):
        drawn = rng.integers(0, n, size=(size, n))
        drawn += np.arange(0, size * n, n)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def percentiles(values: Floats, level: float = 0.95) -> tuple[float, float] | None:
    """Return the middle share `level` of a score's resamples; None where it has no value in any."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
