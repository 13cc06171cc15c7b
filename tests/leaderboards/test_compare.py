"""Two sets of answers are compared row by row, and what cannot be compared is refused."""

import pytest

from harness import DataError, UsageError
from harness.leaderboards.compare import compare
from harness.leaderboards.intake.submission import Submission, write_submission

from .conftest import make_submission


@pytest.fixture
def written(tmp_path, view):
    def write(accuracy, name, **facts):
        made = make_submission(view, accuracy, name)
        made = Submission(dict(made.about) | facts, made.outputs)
        write_submission(made, tmp_path / name, made.outputs)
        return tmp_path / name

    return write


def test_a_real_difference_is_found_with_interval_effect_and_rows(written, opened):
    found = compare(written(0.9, "a"), written(0.5, "b"), opened)
    exact, length = found.differences
    assert exact.verdict == length.verdict == "A is better"
    assert exact.interval[0] < exact.difference < exact.interval[1] and exact.interval[0] > 0
    assert exact.better + exact.equal + exact.worse == 200 and exact.better > exact.worse
    assert exact.effect > 0.3 and length.difference < 0 and exact.test == "permutation"
    assert exact.p_adjusted >= exact.p_value
    assert len(found.examples) == 5 and found.examples[0]["score_a"] != found.examples[0]["score_b"]


def test_equal_systems_cannot_be_told_apart(written, opened):
    found = compare(written(0.7, "a"), written(0.7, "b"), opened)
    assert {d.verdict for d in found.differences} == {"cannot be told apart"}


def test_one_metric_can_be_asked_for_and_a_misspelt_one_is_suggested(written, opened):
    a, b = written(0.9, "a"), written(0.5, "b")
    assert [d.metric for d in compare(a, b, opened, "exact").differences] == ["exact"]
    with pytest.raises(UsageError) as caught:
        compare(a, b, opened, "exatc")
    assert "exact" in caught.value.hint


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"task": "other"}, "task words and other"),
        ({"split": "validation"}, "split test and validation"),
        ({"task_version": "2"}, "task version 1 and 2"),
        ({"data": {"source": "x", "digest": "y"}}, "other data"),
    ],
)
def test_what_answers_other_rows_is_refused(written, opened, facts, said):
    with pytest.raises(DataError, match=said):
        compare(written(0.9, "a"), written(0.5, "b", **facts), opened)


def test_other_prompts_and_missing_rows_are_mentioned(tmp_path, written, view, opened):
    made = make_submission(view, 0.5, "half")
    few = {key: made.outputs[key] for key in list(made.outputs)[:50]}
    half = Submission(dict(made.about) | {"prompt_digest": "x"}, few)
    write_submission(half, tmp_path / "half", few)
    found = compare(written(0.9, "a"), tmp_path / "half", opened)
    assert found.rows == 50 and any("150 rows" in note for note in found.notes)
    assert "they were asked with different prompts" in found.notes
