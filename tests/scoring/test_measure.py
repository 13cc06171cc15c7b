"""What a metric returns is held to what a table can show, and one that fails costs the others nothing."""

import asyncio
import math

import numpy as np
import pytest

from harness import MetricEntry, Score
from harness.metrics.rows import make_pairs
from harness.metrics.statistics import mean_score
from harness.scoring.measure import measure, resample, with_intervals

PAIRS = make_pairs(["a", "b"], ["a", "c"])


def right(pairs):
    return mean_score("right", [float(p.text in e.references) for e, p in pairs])


def scored(metric):
    """Return the score of a metric beside one that is fine."""
    metrics = {"odd": (MetricEntry("odd", "", "-"), metric), "right": (MetricEntry("right", "", "-"), right)}
    found = with_intervals(measure(PAIRS, metrics))
    assert found["right"].value == 0.5 and found["right"].interval == (0.0, 1.0)
    return found["odd"]


@pytest.mark.parametrize(
    ("returned", "note"),
    [
        (0.5, "which is no Score"),
        (Score("odd", "high", 2), "its value is 'high'"),
        (Score("odd", math.nan, 2), "its value is nan"),
        (Score("odd", 0.5, 2, interval=(math.nan, 2)), "its interval is (nan, 2)"),
        (Score("odd", 0.5, 2, interval=(2, 1)), "its interval is (2, 1)"),
        (Score("odd", 0.5, 2, interval=(0.1,)), "its interval is (0.1,)"),
        (Score("odd", 0.5, 2, note=5), "its note is 5, which is no text"),
        (Score("odd", 0.5, 2, per_example=(1.0,)), "1 values for 2 rows"),
        (Score("odd", 0.5, 2, per_example=(1.0, math.nan)), "its value of a row is nan"),
        (Score("odd", 0.5, 2, per_example=(1.0, "b")), "its value of a row is 'b'"),
        (Score("odd", 0.5, 2, resample=lambda weights: "many"), "failed"),
        (Score("odd", 0.5, 2, resample=lambda weights: np.zeros(3)), "resample gave values of shape (3,)"),
    ],
)
def test_what_cannot_stand_in_a_table_has_no_value_and_says_why(returned, note):
    found = scored(lambda pairs: returned)
    assert found.value is None and note in found.note


@pytest.mark.parametrize(
    "failure", [ValueError, SystemExit, asyncio.CancelledError, GeneratorExit, pytest.skip.Exception]
)
def test_whatever_a_metric_raises_is_its_note(failure):
    def raises(pairs):
        raise failure("why")

    found = scored(raises)
    assert found.value is None and found.note == f"failed: {failure.__name__}: why"


def test_ctrl_c_in_a_metric_is_no_note():
    def stopped(pairs):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scored(stopped)


def test_a_score_without_a_number_that_says_why_keeps_its_words():
    found = scored(lambda pairs: Score("odd", math.nan, 2, note="every answer is the same"))
    assert (found.value, found.note) == (None, "every answer is the same")


def test_scores_are_resampled_over_the_same_rows():
    one, other = (measure(PAIRS, {"right": (MetricEntry("right", "", "-"), right)}) for _ in range(2))
    assert np.array_equal(resample(one)[1]["right"], resample(other)[1]["right"])
