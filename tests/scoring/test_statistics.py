"""Intervals and tests behave as their definitions say."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Score, UsageError
from harness.metrics import harness_metrics
from harness.metrics import statistics as sums
from harness.metrics.rows import make_pairs
from harness.scoring import statistics
from harness.scoring.measure import measure, with_intervals


def score(values, name="m", **facts):
    return sums.mean_score(name, values, **facts)


def test_the_interval_of_a_mean_matches_the_normal_approximation():
    values = np.random.default_rng(1).normal(0.5, 0.1, 2000).tolist()
    low, high = statistics.bootstrap_interval(score(values))
    half = 1.96 * np.std(values) / np.sqrt(2000)
    assert low == pytest.approx(np.mean(values) - half, abs=3e-4)
    assert high == pytest.approx(np.mean(values) + half, abs=3e-4)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(1).random(300).tolist()
    first = statistics.bootstrap_interval(score(values), resamples=500)
    assert statistics.bootstrap_interval(score(values), resamples=500) == first
    assert statistics.bootstrap_interval(score(values), resamples=500, seed=1) != first


def test_many_scores_at_once_get_the_intervals_they_get_alone():
    rng = np.random.default_rng(2)
    scores = [score(rng.random(50).tolist()), score(rng.random(70).tolist()), score(rng.random(50).tolist())]
    together = statistics.bootstrap_intervals(scores, resamples=200)
    assert together == [statistics.bootstrap_interval(s, resamples=200) for s in scores]


def test_draws_of_two_systems_on_the_same_rows_are_paired():
    first = [float(i % 3 == 0) for i in range(40)]
    (alone,) = statistics.bootstrap_draws([score(first)], resamples=300)
    shifted, none = statistics.bootstrap_draws([score([v + 0.25 for v in first]), Score("m", 0.5, 40)], 300)
    assert np.allclose(shifted - alone, 0.25) and none is None


def test_a_corpus_metric_is_recomputed_from_its_sums():
    rows = np.array([[1.0, 2.0], [3.0, 4.0], [0.0, 5.0]])
    made = Score("ratio", 4 / 11, 3, resample=sums.Sums(rows, sums.ratio))
    low, high = statistics.bootstrap_interval(made, resamples=4000)
    assert low == 0.0 and high == 0.75


def test_a_score_without_value_or_rows_has_no_interval():
    assert statistics.bootstrap_interval(Score("m", None, 3, per_example=(None,) * 3)) is None
    assert statistics.bootstrap_interval(Score("m", 0.5, 3)) is None
    assert statistics.bootstrap_interval(Score("m", None, 0, per_example=())) is None


def test_rows_without_a_value_are_left_out():
    made = score([1.0, None, 0.0])
    assert made.value == 0.5
    assert statistics.bootstrap_interval(made, resamples=1000) == (0.0, 1.0)


def test_equal_systems_do_not_differ():
    values = np.random.default_rng(3).random(100).tolist()
    assert statistics.permutation_test(score(values), score(values), resamples=200).p_value == 1.0
    assert statistics.paired_bootstrap(score(values), score(values), resamples=200).p_value == 1.0


def test_a_clear_difference_is_found_and_a_shuffled_one_is_not():
    rng = np.random.default_rng(4)
    worse = rng.random(200)
    better = worse + 0.05 + 0.02 * rng.random(200)
    for test in (statistics.permutation_test, statistics.paired_bootstrap):
        found = test(score(better.tolist()), score(worse.tolist()), resamples=999)
        assert found.difference == pytest.approx(float(np.mean(better - worse)))
        assert found.p_value <= 0.002
    noise = rng.random(200)
    assert statistics.permutation_test(score(noise.tolist()), score(worse.tolist())).p_value > 0.01


def test_permutation_p_values_are_uniform_when_nothing_differs():
    rng = np.random.default_rng(5)
    pvalues = [
        statistics.permutation_test(
            score(rng.random(40).tolist()), score(rng.random(40).tolist()), resamples=200
        ).p_value
        for _ in range(200)
    ]
    assert 0.02 <= np.mean(np.array(pvalues) < 0.1) <= 0.2


def test_permutation_agrees_with_exact_enumeration():
    a, b = [0.9, 0.8, 0.7, 0.4, 0.6], [0.5, 0.6, 0.9, 0.1, 0.2]
    differences = np.array(a) - np.array(b)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 5)).reshape(5, -1)
    exact = np.mean(np.abs((signs.T @ differences) / 5) >= abs(differences.mean()) - 1e-12)
    assert statistics.permutation_test(score(a), score(b)).p_value == pytest.approx(exact, abs=0.02)


def test_scores_of_different_metrics_or_rows_are_refused():
    with pytest.raises(UsageError, match="cannot compare"):
        statistics.paired_bootstrap(score([1.0]), score([1.0], name="other"))
    with pytest.raises(UsageError, match="over 1 rows with 2"):
        statistics.permutation_test(score([1.0]), score([1.0, 0.0]))
    with pytest.raises(UsageError, match="no value"):
        statistics.permutation_test(score([None]), score([1.0]))


def test_holm_matches_a_worked_example():
    # Holm 1979, as R's p.adjust(c(.01, .04, .03, .005), "holm") prints it.
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert statistics.holm([]) == ()


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(pvalues):
    adjusted = statistics.holm(pvalues)
    assert all(p <= q <= 1 for p, q in zip(pvalues, adjusted, strict=True))
    ranked = sorted(range(len(pvalues)), key=lambda i: pvalues[i])
    assert [adjusted[i] for i in ranked] == sorted(adjusted)


@settings(max_examples=30)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.randoms())
def test_the_mean_is_the_same_in_any_order(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert sums.mean(values) == sums.mean(shuffled)


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_lies_within_the_values(values):
    low, high = statistics.bootstrap_interval(score(values), resamples=50)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


@pytest.mark.parametrize(
    "name", ["lpm24-properties", "uniqueness", "uniqueness@lpm24", "novelty", "distinct-1"]
)
def test_a_score_whose_resamples_would_mislead_has_no_interval_and_says_why(name, test_data, monkeypatch):
    monkeypatch.setenv("HARNESS_TEST_DATA", str(test_data))
    (card,) = [card for card in harness_metrics() if card.name == name]
    module, attribute = card.target.split(":")
    texts = ["CCO", "CCN", "CCC"]
    pairs = make_pairs(texts, texts, training_targets=lambda: ["CCO"])
    metrics = {name: (card, getattr(importlib.import_module(module), attribute))}
    measured = with_intervals(measure(pairs, metrics))[name]
    assert measured.value is not None and measured.interval is None
    assert "No interval: " in card.edge_cases
