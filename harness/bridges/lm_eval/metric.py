"""A metric of a task of lm-eval: what the task makes of each document, brought together as the task says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.api.errors import UsageError
from harness.api.example import Pairs, Score
from harness.metrics.statistics import Floats, Sums, mean_score, ratio

from .documents import META, values_of

# How lm-eval brings documents together by a ratio of sums; other ways are its own, and have no interval here.
RATIOS: dict[str, Callable[[Floats], Floats]] = {
    "perplexity": lambda sums: np.exp(ratio(sums)),
    "weighted_perplexity": lambda sums: np.exp(ratio(sums)),
    "bits_per_byte": lambda sums: ratio(sums) / math.log(2),
}
ASK_GREEDY = {("loglikelihood", "acc"), ("multiple_choice", "exact_match")}
UNKNOWN = "the model does not say whether a text is what it would say itself"


def metric(name: str) -> Callable[[Pairs], Score]:
    """Return the metric with this name in lm-eval."""

    def score(pairs: Pairs) -> Score:
        if any(META not in example.meta for example, _ in pairs):
            raise UsageError(f"'{name}' is a metric of lm-eval's own tasks", hint="--task lm-eval/NAME")
        found = [values.get(name) for values in values_of(pairs)]
        known = [value for value in found if value is not None]
        if not known:
            return Score(name, None, len(pairs), note="the task says nothing of it")
        task, own_name = pairs[0][0].meta[META].document.task, name.partition("@")[0]
        if (task.OUTPUT_TYPE, own_name) in ASK_GREEDY and not all(said.greedy for _, said in pairs):
            return Score(name, None, len(pairs), note=UNKNOWN)
        together = task.aggregation().get(own_name)
        how = getattr(together, "__name__", "mean")
        if how == "mean":
            return mean_score(name, [None if value is None else float(value) for value in found])
        resample = Sums(_sums(found), RATIOS[how]) if how in RATIOS else None
        return Score(name, float(together(known)), len(pairs), resample=resample)

    return score


def _sums(found: list[Any]) -> Floats:
    """Return what each document adds to both sums: its log-likelihood, negated, and its weight."""
    pairs = [value if isinstance(value, tuple) else (value, 1) for value in (v or (0, 0) for v in found)]
    return np.array([(-log, weight) for log, weight in pairs], dtype=np.float64)
