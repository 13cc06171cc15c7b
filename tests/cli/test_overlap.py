"""`data overlap`: what test rows share with training rows, of any task, and of pairs with molecules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.data.overlap import Overlap, Texts, overlap

LONG = "what is the capital of the country that lies to the north of the sea of winds and rain"


def row(id: str, question: str, answer: str = "") -> Texts:
    return Texts(id, {"question": question, "answer": answer}, question)


def compared(train: list[Texts], test: list[Texts]) -> Overlap:
    return overlap(train, test, "near-question", ("question", "near-question"))


def test_the_same_text_is_found_by_kind():
    found = compared([row("t", "a", "x"), row("u", "b", "y")], [row("1", "a", "y"), row("2", "c", "z")])
    assert found.ids["question"] == {"1"} and found.ids["answer"] == {"1"}
    assert (found.rows, found.train_rows) == (2, 2)


def test_words_that_nearly_repeat_are_found_and_other_words_are_not():
    found = compared([row("t", LONG)], [row("1", LONG + "!"), row("2", LONG.replace("north", "south"))])
    assert found.ids["near-question"] >= {"1"} and "2" not in found.ids["question"]
    assert found.ids["question"] == frozenset()


def test_what_is_empty_is_shared_with_nobody():
    found = compared([row("t", "a", "")], [row("1", "b", "")])
    assert found.ids.get("answer", frozenset()) == frozenset()


def test_only_leaks_give_a_row_away():
    found = compared([row("t", "a", "x")], [row("1", "b", "x"), row("2", "a", "y")])
    assert found.ids["answer"] == {"1"} and found.leaked == {"2"}


def test_training_rows_are_read_once_and_not_kept():
    seen = []

    def stream():
        for number in range(10):
            seen.append(number)
            yield row(str(number), f"question {number}")

    found = overlap(stream(), [row("1", "question 3")], "near-question", ("question",))
    assert seen == list(range(10)) and found.ids["question"] == {"1"} and found.train_rows == 10


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    """A task of two files: one test question is a training question, one answer is shared by both."""
    (tmp_path / "train.csv").write_text(f"q,a\n{LONG},Paris\nWhat is red?,A rose\n")
    (tmp_path / "test.csv").write_text(f"q,a\n{LONG},Rome\nWhat is blue?,A rose\nWhat else?,Nothing\n")
    (tmp_path / "exam.toml").write_text("[task]\nfile = 'test.csv'\nprompt = '{q}'\nanswer = 'a'\n")
    return tmp_path


def test_rows_of_ones_own_are_compared_by_their_task(main, exam):
    done = main("data", "overlap", "train.csv", "test.csv", "--task", "exam.toml")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "3 rows of test.csv against 2 training rows of train.csv"
    assert [line.split()[:3] for line in lines[3:6]] == [
        ["question", "1", "33.3%"],
        ["near-question", "1", "33.3%"],
        ["answer", "1", "33.3%"],
    ]
    assert lines[6] == "clean: 2 rows share none of question, near-question with a training row"
    assert "likeness, not a leak" in lines[5]


def test_ids_of_a_kind_are_listed_and_json_has_all(main, exam):
    command = ("data", "overlap", "train.csv", "test.csv", "--task", "exam.toml")
    done = main(*command, "--list", "answer")
    assert done.out.splitlines()[-2:] == ["answer:", "test-3"]
    found = json.loads(main(*command, "--json").out)
    assert (found["rows"], found["train_rows"], found["clean"]) == (3, 2, 2)
    assert {kind: len(ids) for kind, ids in found["ids"].items()} == {
        "question": 1,
        "near-question": 1,
        "answer": 1,
    }


def test_answers_are_compared_in_the_spelling_of_the_task(main, tmp_path):
    header = "CID\tSMILES\tdescription\n"
    (tmp_path / "train.txt").write_text(header + "1\tOCC\tThe molecule is an alcohol.\n")
    (tmp_path / "test.txt").write_text(header + "9\tCCO\tIt burns with a blue flame.\n")
    command = ("data", "overlap", tmp_path, tmp_path, "--json")
    found = json.loads(main(*command, "--task", "captions/text2smiles").out)
    assert len(found["ids"]["answer"]) == 1 and found["clean"] == 1
    molecules = json.loads(main(*command).out)
    assert len(molecules["ids"]["inchikey"]) == 1 and molecules["clean"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("absent.csv", "test.csv", "--task", "exam.toml"), 4, "there is no data at absent.csv"),
        (("train.csv", "absent.csv", "--task", "exam.toml"), 4, "there is no data at absent.csv"),
        (("train.csv", "test.csv", "--task", "exma.toml"), 4, "there is no file exma.toml"),
        (
            ("train.csv", "test.csv", "--task", "exam.toml", "--list", "cid"),
            2,
            "no kind of overlap named 'cid'",
        ),
        (("train.csv", "test.csv", "--list", "question"), 2, "no kind of overlap named 'question'"),
        (("train.csv", "test.csv", "--task", "exam.toml", "--set", "task.answer=z"), 2, "has no column 'z'"),
        (("train.csv", "test.csv"), 4, "expected a header with a SMILES and a caption column"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(main, exam, arguments, code, said):
    done = main("data", "overlap", *arguments)
    assert done.code == code and said in done.err and done.err.count("error: ") == 1
