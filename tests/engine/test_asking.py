"""How a row is asked and how an answer is read: shots, choices in three ways and any order, reasoning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness import Completion, Example, Passage, PromptFormat, Request, Task, TaskOptions, UsageError
from harness.engine.asking import Asking, apart, unclosed, way_of
from harness.engine.shots import shots_of
from harness.retrieval.words import Tfidf

LISTED = PromptFormat("listed", "{question}\n{choices}\nAnswer:")
PLAIN = PromptFormat("plain", "{question}\nAnswer:")
COLOURS = ("red", "green", "blue", "white")


class Quiz(Task):
    def examples(self, split: str) -> Iterator[Example]:
        for number, colour in enumerate(COLOURS):
            yield row(str(number), f"{split}: which is {colour}?", colour)


def row(name: str, question: str, right: str) -> Example:
    return Example(name, {"question": question}, (right,), choices=COLOURS)


def asking(way: str, prompt: PromptFormat = LISTED, **options: Any) -> Asking:
    task = Quiz(options=TaskOptions(**options))
    task.open_retriever = lambda name: {"tfidf": Tfidf}[name]()
    shots = shots_of(task, list(task.examples("train"))) if task.options.shots else None
    return Asking(task, prompt, way, shots)


SNOW = row("snow", "Which colour is snow?", "white")


@pytest.mark.parametrize(
    ("way", "prompt", "shown", "choices", "target"),
    [
        ("likelihood", PLAIN, "Which colour is snow?\nAnswer:", COLOURS, "white"),
        (
            "likelihood",
            LISTED,
            "Which colour is snow?\nA. red\nB. green\nC. blue\nD. white\nAnswer:",
            COLOURS,
            "white",
        ),
        (
            "letters",
            LISTED,
            "Which colour is snow?\nA. red\nB. green\nC. blue\nD. white\nAnswer:",
            ("A", "B", "C", "D"),
            "D",
        ),
        (
            "letter",
            LISTED,
            "Which colour is snow?\nA. red\nB. green\nC. blue\nD. white\nAnswer:",
            (),
            "D",
        ),
    ],
)
def test_a_question_is_asked_in_three_ways(way, prompt, shown, choices, target):
    asked = asking(way, prompt).request(SNOW)
    assert (asked.prompt, asked.choices) == (shown, choices)
    assert asking(way, prompt).target(SNOW) == target


def test_a_format_without_a_place_for_choices_gets_them_after_the_question():
    bare = PromptFormat("bare", "{question}")
    assert asking("letter", bare).render(SNOW).endswith("snow?\nA. red\nB. green\nC. blue\nD. white\nAnswer:")


@pytest.mark.parametrize("permute", [None, 0, 1, 2, 3])
def test_whatever_the_order_answers_come_back_in_that_of_the_data(permute):
    scored = asking("likelihood", permute=permute)
    request = scored.request(SNOW)
    values = {"red": -4.0, "green": -3.0, "blue": -2.0, "white": -1.0}
    said = Completion("snow", "white", "choice", choice_scores=tuple(values[c] for c in request.choices))
    assert scored.read(SNOW, request, said).choice_scores == (-4.0, -3.0, -2.0, -1.0)

    letters = asking("letters", permute=permute)
    place = letters.arranged(SNOW).choices.index("white")
    chosen = Completion("snow", "x", "choice", choice_scores=tuple(float(i == place) for i in range(4)))
    assert letters.read(SNOW, letters.request(SNOW), chosen).text == "white"

    named = asking("letter", permute=permute)
    answer = Completion("snow", f"The answer is {named.target(SNOW)}.")
    assert named.read(SNOW, named.request(SNOW), answer).text == "D"


def test_orders_differ_between_seeds_and_rows_and_are_the_same_again():
    orders = {asking("likelihood", permute=seed).arranged(SNOW).choices for seed in range(12)}
    assert len(orders) > 4
    rows = [row(str(number), "?", "red") for number in range(12)]
    assert len({asking("likelihood", permute=1).arranged(one).choices for one in rows}) > 4


def test_shots_stand_before_the_question_with_their_answers_and_never_are_the_row_itself():
    shown = asking("letter", shots=2)
    blocks = shown.render(SNOW).split("\n\n")
    assert len(blocks) == 3
    assert all(block.splitlines()[-1].startswith("Answer: ") for block in blocks[:2])
    assert blocks[2].endswith("Answer:")
    for own in Quiz().examples("train"):
        assert shown.render(own).count(own.inputs["question"]) == 1
        assert len(shown.render(own).split("\n\n")) == 3
    assert shown.render(SNOW) == asking("letter", shots=2).render(SNOW)
    assert len({asking("letter", shots=2, shots_seed=seed).render(SNOW) for seed in range(9)}) > 2


def test_shots_may_be_the_nearest_rows_the_nearest_last_and_never_the_row_itself():
    shown = asking("letter", shots=2, shots_by="tfidf")
    own = row("mine", "Tell me: is that train not blue?", "blue")
    *shots, asked = shown.render(own).split("\n\n")
    assert len(shots) == 2 and "which is blue?" in shots[-1]
    assert asked.startswith("Tell me")
    for known in Quiz().examples("train"):
        assert shown.render(known).count(known.inputs["question"]) == 1
        assert len(shown.render(known).split("\n\n")) == 3


def test_more_shots_than_rows_are_refused():
    with pytest.raises(UsageError, match=r"task\.shots is 4, and split 'train' has 4 rows") as refused:
        asking("letter", shots=4)
    assert refused.value.hint == "--set task.shots=3"


@pytest.mark.parametrize(
    ("kind", "wanted", "prompt", "chooses", "way"),
    [
        ("generate", "auto", PLAIN, True, ""),
        ("choose", "auto", PLAIN, True, "likelihood"),
        ("choose", "auto", LISTED, True, "letters"),
        ("choose", "auto", None, True, "likelihood"),
        ("choose", "auto", LISTED, False, "letter"),
        ("choose", "letter", LISTED, True, "letter"),
    ],
)
def test_the_way_is_settled_by_the_task_and_by_what_the_model_can(kind, wanted, prompt, chooses, way):
    assert way_of(Quiz(options=TaskOptions(ask=wanted)), kind, prompt, chooses=chooses) == way


@pytest.mark.parametrize(
    ("kind", "wanted", "said"),
    [
        ("generate", "letter", "this task has no choices"),
        ("choose", "letters", "this model cannot score choices"),
    ],
)
def test_a_way_that_cannot_be_is_refused(kind, wanted, said):
    with pytest.raises(UsageError, match=said):
        way_of(Quiz(options=TaskOptions(ask=wanted)), kind, LISTED, chooses=False)


TAGS = ("<think>", "</think>")


@pytest.mark.parametrize(
    ("said", "thought", "answer", "open_"),
    [
        ("<think>so</think> D", "so", " D", False),
        ("so\n</think>D", "so", "D", False),
        ("<think>so it is D", "so it is D", "", True),
        ("D", "", "D", False),
        ("a <think>b</think> c <think>d</think>", "b", "a  c <think>d</think>", False),
    ],
)
def test_reasoning_is_kept_apart_and_without_an_end_it_is_no_answer(said, thought, answer, open_):
    assert apart(said, TAGS) == (thought, answer)
    assert apart(said, ()) == ("", said)
    assert unclosed(said, TAGS) is open_


def test_what_is_read_is_kept_beside_what_was_said():
    asked = asking("letter")
    found = asked.read(
        SNOW, asked.request(SNOW), Completion("snow", "<think>white</think>D", evidence=("p",)), TAGS
    )
    assert (found.text, found.raw, found.reasoning) == ("D", "<think>white</think>D", "white")
    assert found.evidence == ("p",)


class Shown(Quiz):
    def request(self, example: Example, prompt: str) -> Request:
        return Request(example.id, prompt, passages=(Passage("p1", "Snow is white."), Passage("p2", "Ice.")))


@pytest.mark.parametrize(
    ("said", "kept"), [(None, ("p1", "p2")), ((), ()), (("p2",), ("p2",))], ids=["nothing", "none", "one"]
)
def test_what_is_shown_is_evidence_only_for_a_model_that_says_nothing_of_it(said, kept):
    asked = Asking(Shown(), PLAIN)
    completion = Completion("snow", "unanswerable", evidence=said)
    assert asked.read(SNOW, asked.request(SNOW), completion).evidence == kept


def test_a_request_has_the_choices_in_the_order_they_are_shown():
    asked = asking("likelihood", permute=3)
    assert asked.request(SNOW) == Request(
        "snow", asked.render(SNOW), SNOW.inputs, asked.arranged(SNOW).choices
    )
