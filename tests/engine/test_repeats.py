"""A row that is asked several times: requests under ids of their own, answers together again."""

from __future__ import annotations

import pytest

from harness import Completion, DataError, GenerateSpec, Request
from harness.engine.repeats import repeated, together


def test_the_first_of_several_requests_keeps_the_row_s_id():
    asked = repeated([Request("a", "1+1?"), Request("b", "2+2?")], 3)
    assert [request.id for request in asked] == ["a", "a#2", "a#3", "b", "b#2", "b#3"]
    assert {request.prompt for request in asked[:3]} == {"1+1?"}


def test_answers_stand_together_by_row():
    said = [Completion(name, text) for name, text in (("a", "1"), ("a#2", "2"), ("b", "3"), ("b#2", "4"))]
    first, second = together(said, 2)
    assert (first.text, [again.text for again in first.repeats]) == ("1", ["2"])
    assert (second.text, [again.text for again in second.repeats]) == ("3", ["4"])
    assert together(said, 1) == said


def test_a_row_that_is_named_as_another_s_repeat_is_refused():
    with pytest.raises(DataError, match="'a#2' is the id of a row, and of another row's repeated request"):
        repeated([Request("a", "1"), Request("a#2", "2")], 2)


def test_every_request_draws_with_a_seed_of_its_own():
    seeds = {GenerateSpec(seed=seed).seed_of(name) for seed in (0, 1) for name in ("a", "a#2", "b")}
    assert len(seeds) == 6 and all(0 <= seed < 2**31 for seed in seeds)
    assert GenerateSpec(seed=1).seed_of("a") == GenerateSpec(seed=1, max_new_tokens=9).seed_of("a")
