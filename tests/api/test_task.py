"""What a task has when it says nothing, and what it may say instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from harness import (
    Conversation,
    DataError,
    DataSpec,
    Example,
    Finding,
    Message,
    Passage,
    PromptFormat,
    Request,
    Task,
    TaskEntry,
    TaskOptions,
    TrainPair,
    TrainRow,
    UsageError,
)


class Capitals(Task):
    """Two rows, one of which has two accepted answers."""

    def examples(self, split: str) -> Iterator[Example]:
        yield Example("fr", {"country": "France"}, ("Paris", "paris"), {"groups": ("europe",)})
        yield Example("jp", {"country": "Japan"}, ("Tokyo",))


@dataclass(frozen=True, slots=True)
class Loud(TaskOptions):
    """Options of its own beside those of every task."""

    loud: bool = False


class Shouted(Capitals):
    """A task with options of its own."""

    Options = Loud
    options: Loud

    def target(self, example: Example) -> str:
        said = super().target(example)
        return said.upper() if self.options.loud else said


def test_a_task_without_a_method_for_rows_cannot_be_opened():
    with pytest.raises(TypeError, match="examples"):
        Task()  # type: ignore[abstract]


def test_a_task_that_is_opened_bare_stands_on_its_sample_with_options_as_they_come():
    task = Capitals()
    assert task.data == DataSpec()
    assert task.options == TaskOptions()
    assert task.splits() == ("train", "validation", "test")


def test_options_of_its_own_stand_beside_those_of_every_task():
    plain, loud = Shouted(), Shouted(options=Loud(shots=2, loud=True))
    (row, _) = plain.examples("test")
    assert (plain.target(row), loud.target(row)) == ("Paris", "PARIS")
    assert (plain.options.shots, loud.options.shots) == (0, 2)


def test_two_tasks_never_share_their_notes():
    first, second = Capitals(), Capitals()
    first.notes.append("a row was skipped")
    assert second.notes == []


@pytest.mark.parametrize(("reading", "prose"), [("auto", False), ("strict", False), ("prose", True)])
def test_prose_is_read_where_it_was_asked_for_and_else_as_the_harness_settles(reading, prose):
    assert Capitals(options=TaskOptions(reading=reading)).reads_prose is prose


def test_a_retriever_is_the_harness_s_to_open():
    with pytest.raises(UsageError, match="opened without the harness, which knows what 'bm25' is"):
        Capitals().open_retriever("bm25")


def test_the_first_reference_is_learned_and_any_is_accepted():
    task = Capitals()
    (row, _) = task.examples("test")
    assert task.target(row) == "Paris"
    assert list(task.training_rows(row, "prompt")) == [TrainPair("prompt", "Paris", {"country": "France"})]


def test_a_task_may_learn_from_rows_of_another_kind_and_from_several_of_one_example():
    class Dialogue(Capitals):
        def training_rows(self, example: Example, prompt: str) -> Iterator[TrainRow]:
            for answer in example.references:
                yield Conversation((Message("user", prompt), Message("assistant", answer)))

    task = Dialogue()
    rows = [row for example in task.examples("train") for row in task.training_rows(example, "?")]
    assert [row.texts() for row in rows] == [("?", "Paris"), ("?", "paris"), ("?", "Tokyo")]


def test_a_request_holds_all_that_a_model_may_see_and_no_reference():
    example = Example(
        "1",
        {"q": "who?"},
        ("secret",),
        {"note": "secret"},
        choices=("a", "b"),
        passages=(Passage("p", "text"),),
        messages=(Message("user", "before"),),
    )
    request = Capitals().request(example, "who?")
    assert request == Request("1", "who?", {"q": "who?"}, ("a", "b"), example.messages, example.passages)
    assert "secret" not in repr(request)


def test_a_format_of_the_task_is_the_prompt_and_without_one_the_inputs_are():
    class Formatted(Capitals):
        prompt_format = PromptFormat("capital", "Capital of {country}?")

    (row, _) = Capitals().examples("test")
    assert Formatted().prompt(row) == "Capital of France?"
    assert Capitals().prompt(row) == "France"


@pytest.mark.parametrize(("said", "read"), [(" Paris\n", "Paris"), ("", ""), ("\tA b ", "A b")])
def test_an_answer_is_what_was_said_without_white_space_around_it(said, read):
    task = Capitals()
    assert task.answer(said, Request("1", "p")) == task.canonical(said) == read


def test_a_check_goes_on_after_a_split_that_cannot_be_read():
    class Torn(Capitals):
        def examples(self, split: str) -> Iterator[Example]:
            yield from super().examples(split)
            if split != "test":
                raise DataError(f"{split}.csv ends in the middle of a row")

    report = Torn(DataSpec("folder")).check()
    assert report.rows == {"test": 2}
    assert report.counts == {"unreadable": 2}
    assert [finding.file for finding in report.findings] == ["folder", "folder"]
    assert [finding.found for finding in report.findings] == [
        "train.csv ends in the middle of a row",
        "validation.csv ends in the middle of a row",
    ]


def test_a_check_of_whole_data_finds_nothing():
    report = Capitals().check()
    assert report.rows == {"train": 2, "validation": 2, "test": 2}
    assert (report.findings, report.counts) == ((), {})


def test_a_check_counts_the_splits_that_the_source_has():
    class OneSplit(Capitals):
        def splits(self) -> tuple[str, ...]:
            return ("test",)

    assert OneSplit().check().rows == {"test": 2}


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (Finding("columns", "a.csv", 0, "3 columns", "2"), "a.csv: expected 3 columns, found 2"),
        (Finding("smiles", "a.csv", 9, "a SMILES", "C(", bad=False), "a.csv:9: expected a SMILES, found C("),
    ],
)
def test_a_finding_names_its_place_what_should_be_there_and_what_is(finding, said):
    assert str(finding) == said


def test_an_entry_is_a_task_a_group_or_a_task_that_is_named_anew():
    assert TaskEntry("t", "a task", "m:T").kind == "generate"
    assert TaskEntry("g", "a group", members=("a", "b")).target == ""
    assert not TaskEntry("t", "a task", "m:T").open
    assert TaskEntry("t", "a task", "m:T").languages == ("en",)
