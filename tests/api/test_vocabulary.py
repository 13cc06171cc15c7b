"""The words of plugins: what they hold, what they refuse, and what stays small."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from pathlib import Path

import pytest

import harness
from harness import (
    Answers,
    Completion,
    Conversation,
    DataError,
    Document,
    Example,
    Finding,
    GenerateSpec,
    HarnessError,
    Message,
    ModelPlugin,
    ModelSession,
    Pairs,
    Prediction,
    Preference,
    PromptFormat,
    PromptRow,
    Request,
    RunContext,
    RunSpec,
    Task,
    TrainData,
    TrainPair,
    TrainRow,
    TrainSpec,
    UsageError,
    api,
    nearest,
    until,
)

RUN = RunContext(Path(), RunSpec("m", "t"))
VALUES = [getattr(harness, name) for name in api.__all__]
FROZEN = [kind for kind in VALUES if isinstance(kind, type) and is_dataclass(kind)]


@pytest.mark.parametrize("kind", FROZEN)
def test_values_are_frozen_slotted_and_said_in_a_sentence(kind: type):
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(kind)
    assert kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}(")


def test_a_value_cannot_be_changed_and_can_be_sent_to_another_process():
    example = Example("1", {"a": "b"}, ("c",), choices=("c", "d"))
    with pytest.raises(FrozenInstanceError):
        example.id = "2"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(example)) == example


@pytest.mark.parametrize(
    "row",
    [
        TrainPair("p", "t"),
        Document("d"),
        Conversation((Message("user", "q"), Message("assistant", "a"))),
        Preference("p", "good", "bad", margin=0.5),
        PromptRow(Request("1", "p")),
    ],
)
def test_whatever_is_learned_from_is_a_training_row(row):
    assert isinstance(row, TrainRow)
    assert row == replace(row)  # type: ignore[type-var]
    assert isinstance(TrainData([row]).train, list)


def test_a_stage_may_bring_rows_of_its_own():
    class Triple(TrainRow):
        pass

    assert isinstance(Triple(), TrainRow)


def test_pairs_are_a_sequence_that_shares_its_work():
    rows = [(Example(str(n), {}, ("a",)), Prediction(str(n), "a")) for n in range(3)]
    pairs = Pairs(rows)
    assert (len(pairs), pairs[0], pairs[1:], list(pairs)) == (3, rows[0], rows[1:], rows)
    pairs.cache["x"] = 1
    assert pairs.cache == {"x": 1}
    assert pairs == Pairs(rows)


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("abc", (), ("abc", "stop")),
        ("abc", ("x",), ("abc", "stop")),
        ("abcabc", ("c", "b"), ("a", "stop-string")),
        ("abc", ("a",), ("", "stop-string")),
    ],
)
def test_a_text_ends_at_the_first_of_some_stop_strings(text, stop, expected):
    assert until(text, stop) == expected


def test_a_function_is_a_model():
    with Answers(lambda request: request.prompt.upper() + ".") as session:
        asked = [Request("1", "a"), Request("2", "b.c")]
        said = list(session.generate(asked, GenerateSpec(stop=(".",)), RUN))
    assert [(c.request_id, c.text, c.finish) for c in said] == [
        ("1", "A", "stop-string"),
        ("2", "B", "stop-string"),
    ]


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda s: s.generate([], GenerateSpec(), RUN), "generation"),
        (lambda s: s.choose([], GenerateSpec(), RUN), "scoring choices by log-likelihood"),
        (lambda s: s.perplexity([], GenerateSpec(), RUN), "perplexity"),
        (lambda s: s.prompt_tokens(Request("1", "p")), "showing the tokens of a prompt"),
    ],
)
def test_what_a_session_cannot_do_is_said_in_a_sentence(ask, what):
    with pytest.raises(UsageError, match=f"ModelSession does not support {what}"):
        ask(ModelSession())


def test_a_session_is_closed_however_its_use_ends():
    closed: list[int] = []

    class Session(ModelSession):
        def close(self) -> None:
            closed.append(1)

    with pytest.raises(ValueError, match="x"), Session():
        raise ValueError("x")
    assert closed == [1]
    assert ModelSession().reasoning == ()


def test_what_a_model_cannot_do_is_said_in_a_sentence():
    model = ModelPlugin()
    with pytest.raises(UsageError, match="ModelPlugin does not support training stage 'dpo'"):
        model.train(TrainData([]), TrainSpec(stage="dpo"), RUN)
    with pytest.raises(UsageError, match="ModelPlugin does not support being asked"):
        model.open(None, RUN)


class Words(Task):
    prompt_format = PromptFormat("word", "after {word} comes")

    def examples(self, split: str) -> Iterator[Example]:
        if split == "test":
            raise DataError("no test rows")
        yield Example("1", {"word": "a"}, ("b", "c"))


def test_a_task_of_one_method_has_all_the_rest():
    task = Words()
    (row,) = task.examples("train")
    assert task.prompt(row) == "after a comes"
    assert task.target(row) == "b"
    assert list(task.training_rows(row, "p")) == [TrainPair("p", "b", {"word": "a"})]
    assert task.answer("  b\n", task.request(row, "p")) == "b"
    assert (task.picture(row, "b"), task.fingerprint("train"), task.seen_in_training([], [])) == ("", "", {})
    assert task.options.shots == 0


def test_a_check_counts_what_loads_and_names_what_does_not():
    report = Words().check()
    assert report.rows == {"train": 1, "validation": 1}
    assert report.counts == {"unreadable": 1}
    assert str(report.findings[0]) == "sample: expected a readable split 'test', found no test rows"
    assert str(Finding("k", "f.csv", 3, "a number", "x")) == "f.csv:3: expected a number, found x"


def test_a_task_without_a_format_asks_with_its_inputs():
    class Bare(Words):
        prompt_format = None

    assert Bare().prompt(Example("1", {"a": "one", "b": "two"}, ())) == "one\ntwo"


def test_a_format_never_fills_a_gap_with_nothing():
    with pytest.raises(UsageError, match="prompt 'word' needs input word, the example has other"):
        Words.prompt_format.render({"other": "x"})
    digests = {
        PromptFormat("a", "{x}").digest,
        PromptFormat("a", "{x} ").digest,
        PromptFormat("b", "{x}").digest,
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("ecko", ["echo", "toy"], "did you mean echo?"),
        ("zzz", ["a", "b"], "known: a, b"),
        ("zzz", [], ""),
        ("zzz", [f"n{i:02d}" for i in range(20)], "and 8 more"),
        ("sciimnd", ["scimind", "scimind2"], "did you mean scimind or scimind2?"),
    ],
)
def test_a_name_that_is_not_there_gets_the_nearest_or_all(name, known, hint):
    assert hint in nearest(name, known)


def test_every_error_has_its_exit_code():
    def below(kind: type[HarnessError]) -> set[type[HarnessError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    codes = {
        kind.__name__: kind.exit_code
        for kind in below(HarnessError)
        if kind.__module__ == "harness.api.errors"
    }
    assert codes["UsageError"] == 2
    assert codes["PluginError"] == codes["MissingDependency"] == 3
    assert codes["DataError"] == codes["RunLocked"] == 4
    assert codes["StageError"] == codes["TryAgain"] == 5


def test_only_the_main_process_writes():
    assert RUN.is_main
    assert not replace(RUN, rank=1).is_main
    RUN.event("anything", loss=1.0)
    RUN.progress.start("x")
    RUN.progress.advance(1, loss=1.0)
    RUN.progress.finish()


def test_fields_of_a_completion_have_names_that_journals_keep():
    assert {field.name for field in fields(Completion)} >= {
        "request_id",
        "text",
        "finish",
        "evidence",
        "notes",
    }
