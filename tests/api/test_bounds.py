"""What a setting may be stands on its field, and what depends on it too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import pytest

from harness import GenerateSpec, RunSpec, TrainSpec, UsageError
from harness.api.bounds import (
    ASKED,
    HOW,
    LEARNED,
    WHERE,
    OneOf,
    Range,
    refuse_out_of_bounds,
    what_counts,
)


@dataclass(frozen=True, slots=True)
class Inner:
    size: Annotated[int, Range(least=1)] = 1
    place: Annotated[str, WHERE] = "here"


@dataclass(frozen=True, slots=True)
class Outer:
    kind: Annotated[str, OneOf("round", "square")] = "round"
    share: Annotated[float | None, Range(above=0, most=1)] = None
    often: Annotated[int, HOW] = 5
    asked: Annotated[str, ASKED] = ""
    learned: Annotated[str, LEARNED] = ""
    inner: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = ()


def test_what_is_allowed_passes():
    refuse_out_of_bounds(Outer("square", 1.0, many=(Inner(3),)), "outer")


@pytest.mark.parametrize(
    ("settings", "said", "hint"),
    [
        (Outer("squar"), "outer.kind is squar, it must be round or square", "did you mean square?"),
        (Outer("x"), "outer.kind is x, it must be round or square", "without outer.kind the preset"),
        (Outer(share=0.0), "outer.share is 0.0, it must be more than 0 and at most 1", "without outer.share"),
        (Outer(share=float("nan")), "outer.share is nan, it must be more than 0", "without outer.share"),
        (Outer(inner=Inner(0)), "outer.inner.size is 0, it must be at least 1", "without outer.inner.size"),
    ],
)
def test_what_is_not_allowed_is_refused_in_a_sentence(settings, said, hint):
    with pytest.raises(UsageError) as refused:
        refuse_out_of_bounds(settings, "outer")
    assert refused.value.message.startswith(said)
    assert refused.value.hint.startswith(hint)


def test_how_and_where_never_count_and_the_rest_counts_where_it_matters():
    settings = Outer(asked="a", learned="b", many=(Inner(2),))
    everything = {"kind": "round", "share": None, "asked": "a", "learned": "b"}
    inner = {"inner": {"size": 1}, "many": [{"size": 2}]}
    assert what_counts(settings) == everything | inner
    assert "asked" not in what_counts(settings, ASKED)
    assert "learned" not in what_counts(settings, LEARNED)


def test_a_run_counts_what_it_asks_and_a_training_what_it_learns():
    spec = RunSpec("m", "t", train=(TrainSpec(),), generate=GenerateSpec(temperature=0.5))
    assert {"generate", "task", "metrics"} <= set(what_counts(spec, LEARNED))
    assert not {"train", "train_tasks"} & set(what_counts(spec, LEARNED))
    assert {"train", "train_tasks"} <= set(what_counts(spec, ASKED))
    assert not {"generate", "task", "metrics"} & set(what_counts(spec, ASKED))


def test_a_setting_that_came_later_counts_only_where_it_says_something_new():
    assert "repeats" not in what_counts(RunSpec("m", "t"))
    assert what_counts(RunSpec("m", "t", repeats=4))["repeats"] == 4
