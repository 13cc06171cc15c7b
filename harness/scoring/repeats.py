"""Several answers to each row: the mean of each metric, pass@k, and what most of the answers agree on.

Of a metric with K answers to each row, its own column is avg@K: the mean over a row's answers, meaned over
rows. A metric by which an answer is right or wrong, which its card says by `vote`, has more columns.
`NAME pass@k` is the expected share of rows of which k answers hold a right one, without bias out of all K:
1 - C(K - right, k) / C(K, k) (Chen et al., 2021). `NAME maj@K` is the share of rows whose commonest answer is
right. Answers are the same that the metric takes for the same; one that says nothing has no vote, and of
equally common ones that which was given first counts. Rows are what intervals are drawn over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from math import comb, fsum
from typing import Any

import numpy as np

from harness.api.example import Pairs, Score
from harness.api.metric import MetricEntry, Metrics
from harness.metrics.statistics import Floats, Sums, mean_score, mean_sums, ratio

Values = Sequence[Sequence[float]]  # a line a row, a value an answer


def over_answers(
    parts: Sequence[Pairs], found: Sequence[Mapping[str, Score]], metrics: Metrics
) -> dict[str, Score]:
    """Return the scores of rows whose first, second, … answers were scored as `found`."""
    scores: dict[str, Score] = {}
    for name, (entry, _) in metrics.items():
        several = [part[name] for part in found]
        scores[name] = mean = _meaned(several)
        if entry.vote and mean.value is not None and (values := _by_row(several)) is not None:
            for made in (*_passed(name, values), _majority(name, entry, parts, values)):
                scores[made.metric] = replace(
                    made, version=mean.version, higher_is_better=mean.higher_is_better
                )
    return scores


def _meaned(several: Sequence[Score]) -> Score:
    """Return the mean over a row's answers; where one set of answers has no value, all of them have none."""
    if without := [score for score in several if score.value is None]:
        return without[0]
    value = fsum(score.value or 0.0 for score in several) / len(several)
    names = [name for name in several[0].details if all(name in score.details for score in several)]
    return replace(
        several[0],
        value=value,
        per_example=_row_means(several),
        interval=None,
        details={name: _mean([score.details[name] for score in several]) for name in names},
        resample=_resample(several),
    )


def _row_means(several: Sequence[Score]) -> tuple[float | None, ...] | None:
    columns = [score.per_example for score in several if score.per_example is not None]
    return tuple(map(_mean, zip(*columns, strict=True))) if len(columns) == len(several) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fsum(known) / len(known) if known else None


def _resample(several: Sequence[Score]) -> Any:
    """Return what gives the mean value over drawn rows, the same for all answers; None where one cannot."""
    each = [s.resample or mean_sums(s.per_example or ()) for s in several]
    if any(s.resample is None and s.per_example is None for s in several):
        return None
    sums = [found for found in each if isinstance(found, Sums) and found.finish is ratio]
    if len(sums) == len(each) and all(np.array_equal(s.rows[:, 1], sums[0].rows[:, 1]) for s in sums):
        return Sums(np.mean([s.rows for s in sums], axis=0), ratio)

    def mean(weights: Floats) -> Floats:
        return np.asarray(np.mean([found(weights) for found in each], axis=0), dtype=np.float64)

    return mean


def _by_row(several: Sequence[Score]) -> Values | None:
    """Return each row's values where all answers have one."""
    columns = [score.per_example or () for score in several]
    rows = list(zip(*columns, strict=True))
    values = [[value for value in row if value is not None] for row in rows]
    return values if rows and all(len(row) == len(several) for row in values) else None


def _passed(name: str, values: Values) -> list[Score]:
    """Return pass@k for k = 2, 4, 8, … and K; pass@1 is the mean."""
    most = len(values[0])
    powers = [2**power for power in range(1, most.bit_length()) if 2**power < most]
    return [
        mean_score(f"{name} pass@{k}", [pass_at(k, most, sum(value == 1 for value in row)) for row in values])
        for k in (*powers, most)
    ]


def pass_at(k: int, answers: int, right: int) -> float:
    """Return how likely k of the answers, drawn without putting back, hold a right one."""
    return 1 - comb(answers - right, k) / comb(answers, k)


def _majority(name: str, entry: MetricEntry, parts: Sequence[Pairs], values: Values) -> Score:
    """Return the share of rows whose commonest answer is right."""
    column = f"{name} maj@{len(parts)}"
    module, _, function = entry.vote.partition(":")
    try:
        vote = getattr(import_module(module), function)
        kinds = list(zip(*map(vote, parts), strict=True))
    except Exception as error:  # noqa: BLE001  a stranger's vote; the metric itself keeps its numbers
        return Score(column, None, len(values), note=f"failed: {type(error).__name__}: {error}")
    rows = zip(values, kinds, strict=True)
    return mean_score(column, [row[commonest(of_row)] for row, of_row in rows])


def commonest(kinds: Sequence[str]) -> int:
    """Return the place of the first answer of the commonest kind; an empty one has no vote beside others."""
    counted = Counter(kind for kind in kinds if kind) or Counter(kinds)
    most = max(counted.values())
    return next(place for place, kind in enumerate(kinds) if counted[kind] == most)
