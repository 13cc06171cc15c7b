"""Several answers to a row: their mean, pass@k, what most of them agree on, each over rows."""

from __future__ import annotations

import json
from itertools import combinations
from statistics import fmean

import pytest

from harness import DataError, Example, MetricEntry, Pairs, Prediction, Score
from harness.engine.plugin_manager import load_plugins
from harness.engine.registry import Registry
from harness.metrics.rows import make_pairs
from harness.scoring.answers import by_id, pair, read
from harness.scoring.measure import measure, metric_of, with_intervals
from harness.scoring.repeats import commonest, pass_at


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(load_plugins(entry_points=False))


def several(*answers: str, wanted: str = "4", choices: tuple[str, ...] = ()) -> tuple[Example, Prediction]:
    first, *more = (Prediction("", said, said) for said in answers)
    example = Example("", {}, (wanted,), choices=choices)
    return example, Prediction("", first.text, first.raw, repeats=tuple(more))


def scored(registry: Registry, metric: str, *rows: tuple[Example, Prediction]) -> dict[str, Score]:
    return with_intervals(measure(Pairs(rows), registry.load_metrics([metric])))


@pytest.mark.parametrize("right", range(6))
@pytest.mark.parametrize("k", range(1, 6))
def test_pass_at_k_is_the_share_of_all_sets_of_k_answers_that_hold_a_right_one(right, k):
    answers = [place < right for place in range(5)]
    sets = [any(drawn) for drawn in combinations(answers, k)]
    assert pass_at(k, 5, right) == pytest.approx(sum(sets) / len(sets))


def test_a_metric_is_meaned_over_the_answers_and_told_by_pass_at_k_and_by_the_majority(registry):
    rows = [several("4", "5", " 4", "3"), several("1", "1", "2", "4"), several("7", "7", "7", "7")]
    found = scored(registry, "exact-match", *rows)
    assert list(found) == ["exact-match", "exact-match pass@2", "exact-match pass@4", "exact-match maj@4"]
    assert found["exact-match"].per_example == (0.5, 0.25, 0.0)
    assert found["exact-match pass@2"].per_example == pytest.approx((5 / 6, 3 / 6, 0.0))
    assert found["exact-match pass@4"].per_example == (1.0, 1.0, 0.0)
    assert found["exact-match maj@4"].per_example == (1.0, 0.0, 0.0)
    for score in found.values():
        assert (score.n, score.version, score.higher_is_better) == (3, "1", True)
        assert score.value == pytest.approx(fmean(score.per_example))
        low, high = score.interval
        assert low <= score.value <= high


@pytest.mark.parametrize(
    ("metric", "answers", "wanted", "choices"),
    [
        ("squad-em", ("a cat", "dog", "The cat!", "dog?", "CAT"), "cat", ()),
        ("accuracy", ("(B)", "A", "The answer is B.", "A", "b"), "no", ("yes", "no")),
        ("accuracy-letter", ("(B)", "A", "The answer is B.", "A", "B, A"), "B", ("yes", "no")),
        ("canonical-exact", ("OCC", "C", "CCO", "C", "C(O)C"), "CCO", ()),
        ("molecule-exact", ("OCC", "C", "CCO", "C", "C(O)C"), "CCO", ()),
    ],
)
def test_answers_are_the_same_that_the_metric_takes_for_the_same(registry, metric, answers, wanted, choices):
    found = scored(registry, metric, several(*answers, wanted=wanted, choices=choices))
    assert found[f"{metric} maj@5"].value == 1.0


def test_nothing_said_has_no_vote_and_the_first_of_equals_counts():
    assert commonest(["", "", "a", "b"]) == 2
    assert commonest(["b", "a", "a", "b"]) == 0
    assert commonest(["", ""]) == 0


def test_a_metric_of_the_whole_set_is_meaned_with_its_interval(registry):
    wanted, first, second = ["a b c d", "x y z w"], ["a b c d", "x y z w"], ["a b c e", "a"]
    rows = zip(first, second, wanted, strict=True)
    found = scored(registry, "bleu-2", *(several(a, b, wanted=ref) for a, b, ref in rows))
    metrics = registry.load_metrics(["bleu-2"])
    alone = [measure(make_pairs(said, wanted), metrics)["bleu-2"].value for said in (first, second)]
    assert list(found) == ["bleu-2"]
    assert found["bleu-2"].value == fmean(alone) != alone[0]
    low, high = found["bleu-2"].interval
    assert low < found["bleu-2"].value < high


def test_one_set_of_answers_without_a_value_leaves_none():
    def odd(pairs: Pairs) -> Score:
        first = pairs[0][1].text == "a"
        return Score("odd", 1.0 if first else None, len(pairs), note="" if first else "nothing there")

    rows = Pairs([several("a", "b")])
    found = measure(rows, {"odd": (MetricEntry("odd", "", "-", vote="harness.metrics.votes:text"), odd)})
    assert list(found) == ["odd"] and (found["odd"].value, found["odd"].note) == (None, "nothing there")


def test_a_vote_that_fails_costs_the_metric_nothing(registry):
    _, exact = registry.load_metrics(["exact-match"])["exact-match"]
    broken = MetricEntry("exact-match", "", "-", vote="no.such.module:vote")
    found = measure(Pairs([several("4", "5")]), {"exact-match": (broken, exact)})
    assert found["exact-match"].value == 0.5
    assert found["exact-match maj@2"].note.startswith("failed: ModuleNotFoundError")


def test_every_row_has_as_many_answers(registry):
    with pytest.raises(DataError, match="some rows have 1 answers, others 2"):
        scored(registry, "exact-match", several("4"), several("4", "5"))


def test_a_column_knows_its_metric():
    assert metric_of("exact-match pass@16") == metric_of("exact-match maj@4") == "exact-match"
    assert metric_of("multi-answer-exact@cmb") == "multi-answer-exact@cmb"


def test_whatever_votes_is_there_and_right_or_wrong(registry):
    voting = [item.entry for item in registry.metrics if item.entry.vote]
    assert len(voting) >= 9
    for entry in voting:
        found = scored(registry, entry.name, several("A", "B", wanted="A"))
        assert not any(score.note.startswith("failed") for score in found.values()), entry.name


def test_a_file_of_answers_may_hold_several_to_each_row(tmp_path):
    rows = [
        {"id": "a", "text": "4", "references": ["4"], "repeats": [{"text": "5"}, {"output": "4"}]},
        {"id": "b", "text": "1", "references": ["2"], "repeats": [{"text": ""}, {"text": "2"}]},
    ]
    file = tmp_path / "said.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pairs = pair(read(file), None)
    assert [[said.text for said in prediction.repeats] for _, prediction in pairs] == [["5", "4"], ["", "2"]]
    said = by_id(read(file))["a"]
    assert [again.text for again in said.repeats] == ["5", "4"]


@pytest.mark.parametrize(
    ("repeats", "said"),
    [
        ("5", "which is no list of answers"),
        (["5"], "which is no answer"),
        ([{"text": "5", "repeats": []}], "which is no answer"),
        ([{"text": 5}], "which is not text"),
        ([{}], "none of text, output"),
    ],
)
def test_what_is_no_further_answer_is_refused(repeats, said, tmp_path):
    file = tmp_path / "said.jsonl"
    file.write_text(json.dumps({"id": "a", "text": "4", "repeats": repeats}))
    with pytest.raises(DataError, match=said):
        read(file)
