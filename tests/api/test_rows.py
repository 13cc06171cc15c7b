"""What is learned from: each kind of row tells the texts that a model reads or writes."""

from __future__ import annotations

import pickle

import pytest

from harness import (
    Conversation,
    Document,
    Message,
    Preference,
    PromptRow,
    Ranking,
    Request,
    TrainData,
    TrainPair,
    TrainRow,
)

TURNS = (Message("system", "Be brief."), Message("user", "Hello?"))
ROWS = [
    (TrainPair("C", "methane", {"smiles": "C"}), ("C", "methane")),
    (Document("A text.", (1, 2)), ("A text.",)),
    (Conversation((*TURNS, Message("assistant", "Hello."))), ("Be brief.", "Hello?", "Hello.")),
    (Preference("Hello?", "Hi.", "Go away."), ("Hello?", "Hi.", "Go away.")),
    (Preference("Hello?", "Hi.", "No.", messages=TURNS), ("Be brief.", "Hello?", "Hi.", "No.")),
    (PromptRow(Request("1", "Hello?")), ("Hello?",)),
    (PromptRow(Request("1", "And?", messages=TURNS)), ("Be brief.", "Hello?", "And?")),
    (Ranking("who?", "he", ("she",)), ()),
]


@pytest.mark.parametrize(("row", "texts"), ROWS, ids=lambda value: type(value).__name__)
def test_a_row_tells_the_texts_that_are_read_or_written(row: TrainRow, texts: tuple[str, ...]) -> None:
    assert row.texts() == texts


@pytest.mark.parametrize("row", [row for row, _ in ROWS], ids=lambda row: type(row).__name__)
def test_a_row_goes_to_the_workers_that_encode_it_and_says_all_it_holds(row: TrainRow) -> None:
    assert pickle.loads(pickle.dumps(row)) == row
    assert repr(pickle.loads(pickle.dumps(row))) == repr(row)  # which training data are known by


def test_a_dialogue_is_told_once_though_its_last_turn_is_the_prompt_too() -> None:
    row = Preference("Hello?", "Hi.", "No.", messages=TURNS)
    assert row.texts().count("Hello?") == 1


def test_rows_of_a_plugin_have_no_texts_until_they_say_so() -> None:
    class Silent(TrainRow):
        """Says nothing."""

    assert Silent().texts() == ()


def test_rows_that_differ_in_anything_are_told_apart() -> None:
    rows = [
        TrainPair("p", "t"),
        TrainPair("p", "t", {"a": "b"}),
        Document("p"),
        Document("p", (1,)),
        Preference("p", "t", "u"),
        Preference("p", "t", "u", margin=0.0),
        Preference("p", "t", "u", tools="{}"),
        Conversation((Message("user", "p"),)),
        Conversation((Message("user", "p"),), tools="{}"),
        Conversation((Message("tool", "p", name="search"),)),
    ]
    assert len({repr(row) for row in rows}) == len(rows)


def test_data_of_a_stage_is_rows_and_nothing_more_until_it_is_validated() -> None:
    data = TrainData([TrainPair("p", "t")])
    assert (list(data.validation), data.digest, data.evaluator, data.judge) == ([], "", None, None)
