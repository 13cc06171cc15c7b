"""Entries: what each kind says of itself when it says nothing, which is what a listing and a run go by."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from harness import (
    Checkpoint,
    Explaining,
    MetricEntry,
    ModelEntry,
    ModelPlugin,
    NoOptions,
    Pairs,
    RetrieverEntry,
    RunContext,
    RunSpec,
    Score,
    StageEntry,
    TaskEntry,
    Terms,
    TrainData,
    TrainPair,
    TrainSpec,
    UsageError,
    Verb,
    VerbEntry,
)

RUN = RunContext(Path(), RunSpec("m", "t"))
ENTRIES = [
    ModelEntry("a", "b", "c:D"),
    TaskEntry("a", "b", "c:D"),
    MetricEntry("a", "b", "c:D"),
    RetrieverEntry("a", "b", "c:D"),
    StageEntry("a", "b", "c:D"),
    VerbEntry("a", "b", "c:D"),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_an_entry_is_a_name_a_summary_and_a_target(entry):
    assert (entry.name, entry.summary, entry.target) == ("a", "b", "c:D")
    assert entry.requires == ()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_an_entry_can_be_a_key_so_that_one_is_told_from_another(entry):
    held = [field.name for field in fields(entry) if isinstance(getattr(entry, field.name), list | set)]
    assert held == []


def test_a_model_learns_supervised_scores_choices_and_is_known_by_its_weights_file():
    entry = ModelEntry("m", "s", "t:T")
    assert entry.stages == ("sft",)
    assert entry.chooses is True
    assert entry.files == ("weights",)
    assert (entry.presets, entry.multitask, entry.known_by) == ((), False, "")


def test_a_metric_is_a_share_of_which_more_is_better():
    entry = MetricEntry("m", "s", "t:T")
    assert (entry.range, entry.scale, entry.higher_is_better) == ((0.0, 1.0), 1.0, True)
    assert not (entry.silence_wins or entry.reference_free)


def test_a_stage_learns_from_pairs_and_leaves_a_model_that_answers():
    entry = StageEntry("s", "s", "t:T")
    assert entry.rows == (TrainPair,)
    assert entry.answers
    assert not entry.begins
    assert (dict(entry.inputs), entry.facts) == ({}, ())


@dataclass(frozen=True, slots=True)
class Options:
    """How loud a parrot is."""

    loud: bool = False


class Parrot(ModelPlugin):
    """A model with options."""

    Options = Options


def test_a_model_has_the_options_it_is_given_or_its_own_as_they_come():
    assert Parrot().options == Options()
    assert Parrot(Options(loud=True)).options.loud
    assert isinstance(ModelPlugin().options, NoOptions)


@pytest.mark.parametrize("stage", ["sft", "dpo", "a-plugin-s-own"])
def test_a_model_that_learns_nothing_says_which_stage_it_lacks(stage):
    with pytest.raises(UsageError, match=f"Parrot does not support training stage '{stage}'"):
        Parrot().train(TrainData([]), TrainSpec(stage=stage), RUN)


def test_a_model_that_is_not_asked_says_so():
    with pytest.raises(UsageError, match="Parrot does not support being asked"):
        Parrot().open(Checkpoint(Path("weights")), RUN)


class Explained:
    """A metric that says what the value of a row is made of."""

    def __call__(self, pairs: Pairs, /) -> Score:
        return Score("m", 1.0, len(pairs))

    def explain(self, pairs: Pairs, score: Score, /) -> Terms:
        return [("rows", str(score.n))]


def test_a_metric_explains_itself_where_it_has_the_words():
    assert isinstance(Explained(), Explaining)
    assert not isinstance(lambda pairs: Score("m", None, 0), Explaining)


class Greet(Verb):
    """Greets somebody."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")

    def run(self, args: Namespace, bench: object) -> int:
        return len(args.name)


class Silent(Verb):
    """Takes nothing."""

    def run(self, args: Namespace, bench: object) -> int:
        return 0


def test_a_verb_takes_what_it_says_and_returns_its_exit_code():
    parser = ArgumentParser()
    Greet().add_arguments(parser)
    assert Greet().run(parser.parse_args(["Ada"]), None) == 3


def test_a_verb_takes_nothing_by_itself():
    parser = ArgumentParser(add_help=False)
    Silent().add_arguments(parser)
    assert vars(parser.parse_args([])) == {}


def test_a_verb_that_does_nothing_is_refused_when_it_is_made():
    with pytest.raises(TypeError, match="run"):
        Verb()  # type: ignore[abstract]
