"""What a metric's value is made of: sums over rows, from which it is computed again for any drawn rows.

Corpus metrics such as BLEU say their sums (`Sums`), which is exact and takes seconds where rescoring the
texts of every resample would take hours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import Score

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """A metric as a function of sums over rows; what `Score.resample` normally is.

    `rows` has one line of additive statistics a row; `finish` maps summed lines (m x k) to m values,
    NaN where the metric is undefined.
    """

    rows: Floats
    finish: Callable[[Floats], Floats]

    def __call__(self, weights: Floats) -> Floats:
        """Return one value for each line of row weights."""
        return self.finish(weights @ self.rows)


def ratio(sums: Floats) -> Floats:
    """Finish two summed columns as first over second, NaN where the second is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the defined values, the same to the last bit in any order."""
    defined = [value for value in values if value is not None]
    return math.fsum(defined) / len(defined) if defined else None


def mean_sums(values: Sequence[float | None]) -> Sums:
    """Return the sums behind a plain mean over rows, leaving out undefined ones."""
    rows = np.array([(0.0, 0.0) if v is None else (v, 1.0) for v in values], dtype=np.float64)
    return Sums(rows.reshape(-1, 2), ratio)


def mean_score(metric: str, values: Sequence[float | None], **facts: Any) -> Score:
    """Return the score that is the mean of its rows."""
    per_example = tuple(values)
    note = facts.pop("note", "") or ("" if any(v is not None for v in per_example) else "no row has a value")
    return Score(
        metric,
        mean(per_example),
        len(per_example),
        per_example=per_example,
        resample=mean_sums(per_example),
        note=note,
        **facts,
    )


def weighted_score(metric: str, values: Sequence[float | None], weights: Sequence[float]) -> Score:
    """Return the score that is the mean of its rows, each as often as its weight says."""
    known = [(v, w) for v, w in zip(values, weights, strict=True) if v is not None]
    rows = [(0.0, 0.0) if v is None else (v * w, w) for v, w in zip(values, weights, strict=True)]
    total = math.fsum(weight for _, weight in known)
    return Score(
        metric,
        math.fsum(value * weight for value, weight in known) / total if total else None,
        len(values),
        per_example=tuple(values),
        resample=Sums(np.array(rows, dtype=np.float64).reshape(-1, 2), ratio),
        note="" if total else "no row has a value",
    )
