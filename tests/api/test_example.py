"""The words of an evaluation: what each holds by default, and what passes between two processes."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, asdict, replace

import pytest

from harness import Annotation, Completion, Example, Message, Pairs, Passage, Prediction, Request, Score

EXAMPLE = Example(
    "1",
    {"question": "which?"},
    ("a", "b"),
    {"groups": ("short",)},
    ("a", "b", "c"),
    (Passage("p1", "text", "Results"),),
    (Annotation("extractive", ("p1",), "anna"), Annotation("none")),
    (Message("tool", "42", name="search", calls=('{"name": "x"}',)),),
)
VALUES = [
    EXAMPLE,
    Request("1", "p", {"a": "b"}, ("x",), EXAMPLE.messages, EXAMPLE.passages, "[]"),
    Completion("1", "t", "length", 1, 2, (-1.0,), ("odd",), ("u",), ("p1",), -3.5),
    Prediction("1", "t", "raw", (-1.0,), "thoughts", ("p1",), -3.5, 4),
    Score("f1", 0.5, 2, (0.0, None), (0.1, 0.9), "note", "2", False, {"precision": 0.5, "recall": None}),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_the_same_in_another_process(value):
    assert pickle.loads(pickle.dumps(value)) == value


@pytest.mark.parametrize("value", VALUES[:4], ids=lambda value: type(value).__name__)
def test_a_value_is_plain_enough_to_be_written(value):
    assert type(value)(**{name: getattr(value, name) for name in asdict(value)}) == value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_nobody_changes_a_value_that_others_hold(value):
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        value.new = 1


def test_what_a_row_does_not_say_is_empty_and_never_shared():
    one, other = Example("1", {}, ("a",)), Example("2", {}, ("a",))
    assert (one.meta, one.choices, one.passages, one.annotations, one.messages) == ({}, (), (), (), ())
    assert one.meta is not other.meta
    assert Request("1", "p").inputs is not Request("2", "p").inputs


def test_a_completion_that_says_nothing_else_ended_by_itself():
    said = Completion("1", "t")
    assert (said.finish, said.log_likelihood, said.choice_scores) == ("stop", None, ())


def test_a_request_has_no_place_for_a_reference():
    held = set(Request.__slots__)
    assert not held & {"references", "meta", "annotations", "target"}


def test_how_a_score_is_drawn_again_is_no_part_of_what_it_is():
    plain = Score("m", 0.5, 2, (0.0, 1.0))
    assert replace(plain, resample=lambda counts: counts) == plain
    assert "resample" not in repr(replace(plain, resample=print))


def test_a_score_may_be_undefined_and_says_why():
    score = Score("m", None, 0, note="no rows")
    assert (score.value, score.per_example, score.interval) == (None, None, None)
    assert score.higher_is_better


def rows(count: int) -> list[tuple[Example, Prediction]]:
    return [(Example(str(n), {}, ("a",)), Prediction(str(n), "a")) for n in range(count)]


def test_rows_to_score_are_counted_sliced_and_walked_as_a_list():
    held = rows(4)
    pairs = Pairs(held)
    assert len(pairs) == 4
    assert pairs[-1] == held[3]
    assert pairs[1:3] == held[1:3]
    assert list(reversed(pairs)) == held[::-1]
    assert held[2] in pairs
    assert pairs.index(held[1]) == 1
    with pytest.raises(IndexError):
        pairs[4]


def test_no_rows_are_no_rows():
    assert not Pairs([])
    assert list(Pairs([])) == []


def test_work_is_shared_within_one_scoring_and_not_between_two():
    first, second = Pairs(rows(1)), Pairs(rows(1))
    first.cache["parsed"] = {}
    assert second.cache == {}
    assert first == second


def test_the_training_split_is_read_only_when_a_metric_asks():
    read: list[int] = []

    def targets() -> list[str]:
        read.append(1)
        return ["a"]

    pairs = Pairs(rows(2), training_targets=targets)
    assert read == []
    assert pairs.training_targets is not None
    assert list(pairs.training_targets()) == ["a"]
    assert Pairs(rows(1)).training_targets is None
