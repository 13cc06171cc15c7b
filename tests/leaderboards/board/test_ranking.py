"""Ranks say how sure they are: ties are found, real differences are not hidden, nobody moves the ruler."""

import math

import numpy as np
import pytest

from harness.leaderboards.board.ranking import Entrant, difference, places, unstable, win_rates
from harness.metrics.statistics import mean_score
from harness.scoring.statistics import bootstrap_draws


def entrants(*columns, higher=True):
    """Return entrants for columns of values of the same rows."""
    scores = [mean_score("m", list(map(float, column))) for column in columns]
    draws = bootstrap_draws(scores, 1000)
    return {
        f"m{i}": Entrant(score.value, drawn.astype(np.float32).astype(float), score.n)
        for i, (score, drawn) in enumerate(zip(scores, draws, strict=True))
    }


def coin(rng, share, rows=400):
    return (rng.random(rows) < share).astype(float)


def test_systems_that_are_equal_share_a_medal_in_nearly_all_draws():
    rng = np.random.default_rng(0)
    shared = 0
    for _ in range(200):
        found = places(entrants(coin(rng, 0.5), coin(rng, 0.5)), higher_is_better=True)
        shared += len({place.group for place in found.values()}) == 1
    assert shared >= 0.93 * 200  # 95 % are expected; 0.93 leaves room for 200 draws


def test_a_clear_difference_is_told_apart_and_the_medals_go_down():
    rng = np.random.default_rng(1)
    found = places(entrants(coin(rng, 0.9), coin(rng, 0.6), coin(rng, 0.3)), higher_is_better=True)
    assert [found[f"m{i}"].medal for i in range(3)] == ["gold", "silver", "bronze"]
    assert [found[f"m{i}"].rank_range for i in range(3)] == [(1, 1), (2, 2), (3, 3)]
    assert found["m0"].best_share == 1.0 and found["m0"].p_next < 0.001 and found["m2"].p_next is None


def test_rank_ranges_cover_both_of_two_close_rows():
    rng = np.random.default_rng(2)
    base = coin(rng, 0.5)
    close = base.copy()
    close[base.argmax()], close[base.argmin()] = 0.0, 1.0
    found = places(entrants(base, close, coin(rng, 0.05)), higher_is_better=True)
    assert found["m0"].rank_range == found["m1"].rank_range == (1, 2)
    assert found["m2"].rank_range == (3, 3)
    assert found["m0"].medal == found["m1"].medal == "gold" and found["m2"].medal == "silver"


def test_lower_is_better_turns_the_order_around():
    rng = np.random.default_rng(3)
    found = places(entrants(coin(rng, 0.9), coin(rng, 0.1)), higher_is_better=False)
    assert found["m1"].rank == 1 and found["m1"].medal == "gold"


def test_the_same_answers_cannot_be_told_apart():
    rng = np.random.default_rng(4)
    column = coin(rng, 0.5)
    found = places(entrants(column, column), higher_is_better=True)
    assert [found["m0"].rank, found["m1"].rank] == [1, 1] and found["m0"].p_next == 1.0
    assert found["m0"].best_share == pytest.approx(0.5)


def test_rows_that_all_differ_alike_get_the_exact_sign_test():
    made = entrants([1.0] * 4, [0.0] * 4)
    assert difference(made["m0"], made["m1"]) == (1.0, 0.0, 0.125)
    made = entrants([1.0] * 20, [0.0] * 20)
    assert difference(made["m0"], made["m1"])[2] < 1e-5


def test_the_p_value_is_that_of_the_normal_test_on_a_paired_difference():
    rng = np.random.default_rng(5)
    a, b = rng.normal(0.5, 0.1, 900), rng.normal(0.493, 0.1, 900)
    gap, error, p = difference(*entrants(a, b).values())
    assert gap == pytest.approx((a - b).mean())
    assert error == pytest.approx((a - b).std() / 30, rel=0.1)
    assert p == pytest.approx(math.erfc(abs(gap) / error / math.sqrt(2)))


def test_no_p_value_is_smaller_than_the_draws_support():
    rng = np.random.default_rng(6)
    gap, _, p = difference(*entrants(coin(rng, 0.99), coin(rng, 0.01)).values())
    assert gap > 0.9 and p == 1e-6


def test_without_resamples_there_is_an_order_and_no_test():
    found = places({"a": Entrant(1.0, None, 5), "b": Entrant(2.0, None, 5)}, higher_is_better=True)
    assert found["b"].rank == 1 and found["b"].medal == "" and found["b"].p_next is None
    assert found["a"].rank_range is None


def test_one_row_alone_gets_no_medal():
    assert places(entrants([1, 0, 1]), higher_is_better=True)["m0"].medal == ""


def test_win_rate_and_borda_count_halves_for_ties():
    wins, borda = win_rates({"a": [1.0, 3.0], "b": [1.0, 1.0], "c": [0.0, 2.0]}, [True, False])
    assert borda.tolist() == [1.5, 3.5, 1.0]
    assert wins.sum(axis=1).tolist() == [0.75, 1.75, 0.5]


def test_an_order_that_hangs_on_one_row_is_named():
    # Borda's paradox: a beats b on three of five measures, and b comes first only thanks to c.
    values = {"a": [3.0] * 3 + [1.0] * 2, "b": [2.0] * 3 + [3.0] * 2, "c": [1.0] * 3 + [2.0] * 2}
    wins, borda = win_rates(values, [True] * 5)
    assert borda.tolist() == [6.0, 7.0, 2.0]
    assert unstable(list(values), wins) == [("c", "a", "b")]
    assert unstable(["a", "c"], wins[np.ix_([0, 2], [0, 2])]) == []
