"""A task file after a look at a table: what may be asked, answered and chosen from, ready to run."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from harness import DataError
from harness.cli.table_task import describe


def described(tmp_path: Path, text: str, name: str = "rows.csv") -> dict[str, object]:
    (tmp_path / name).write_text(text, encoding="utf-8")
    task: dict[str, object] = tomllib.loads(describe(tmp_path / name, "mine", tmp_path))["task"]
    return task


@pytest.mark.parametrize(
    ("header", "prompt", "answer"),
    [
        ("question,answer", "{question}", "answer"),
        ("Answer,Question", "{Question}", "Answer"),
        ("id,text,label", "{text}", "label"),
        ("id,split,country,capital", "{country}", "capital"),
        ("input,target,instruction", "{instruction}", "target"),
        ("smiles,description", "{smiles}", "description"),
    ],
)
def test_columns_are_found_by_what_they_are_usually_called(tmp_path, header, prompt, answer):
    task = described(tmp_path, f"{header}\n{','.join('abcd'[: header.count(',') + 1])}\n")
    assert (task["prompt"], task["answer"]) == (prompt, answer)
    assert (task["name"], task["file"]) == ("mine", "rows.csv")


@pytest.mark.parametrize(
    ("names", "choices"),
    [
        ("A,B,C", ["A", "B", "C"]),
        ("option_a,option_b", ["option_a", "option_b"]),
        ("choice1,choice2,choice3", ["choice1", "choice2", "choice3"]),
        ("opa,opb", []),
        ("A,other", []),
    ],
)
def test_columns_that_are_called_like_choices_are_chosen_from(tmp_path, names, choices):
    width = names.count(",") + 1
    task = described(tmp_path, f"question,{names},answer\nWhat?,{','.join('wxyz'[:width])},w\n")
    assert task.get("choices", []) == choices


@pytest.mark.parametrize(("answers", "first"), [("0,1,2", 0), ("1,2,3", 1), ("A,B,C", None), ("1,B,2", None)])
def test_answers_that_are_numbers_are_counted_from_where_they_begin(tmp_path, answers, first):
    rows = "".join(f"What?,x,y,z,{answer}\n" for answer in answers.split(","))
    assert described(tmp_path, f"question,A,B,C,answer\n{rows}").get("count_from") == first


def test_a_column_of_lists_holds_the_choices(tmp_path):
    text = '{"question": "Q?", "options": ["a", "b"], "answer": "a"}\n'
    assert described(tmp_path, text, "rows.jsonl")["choices"] == ["options"]


def test_a_table_without_a_split_is_offered_shares_in_a_comment(tmp_path):
    (tmp_path / "rows.csv").write_text("question,answer\na,b\n")
    assert "# shares = [0.8, 0.1, 0.1]" in describe(tmp_path / "rows.csv", "mine", tmp_path)
    (tmp_path / "rows.csv").write_text("question,answer,split\na,b,test\n")
    assert "# shares" not in describe(tmp_path / "rows.csv", "mine", tmp_path)


def test_the_file_is_named_as_it_is_seen_from_the_task(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("question,answer\na,b\n")
    (tmp_path / "tasks").mkdir()
    task = tomllib.loads(describe(tmp_path / "data" / "rows.csv", "mine", tmp_path / "tasks"))["task"]
    assert task["file"] == "../data/rows.csv"


def test_names_that_toml_would_misread_are_quoted(tmp_path):
    task = described(tmp_path, 'the "question",answer\na,b\n'.replace('the "question"', '"the ""question"""'))
    assert task["prompt"] == '{the "question"}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("question,answer\n", "has a header and no rows"),
        ("only\na\n", "has 1 columns and 1 good rows: nothing to ask and answer"),
        ("", "is empty, expected a header and rows"),
        ("a,a\n1,2\n", "expected each column once, found 'a' 2 times"),
    ],
)
def test_a_table_that_asks_nothing_is_refused(tmp_path, text, said):
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        describe(tmp_path / "rows.csv", "mine", tmp_path)


def test_a_task_that_was_written_runs_at_once(main, odd):
    Path("exam.csv").write_text("question,answer,split\nWhat?,What?,test\nWho?,I,test\n")
    done = main("new-plugin", "exam", "--from", "exam.csv")
    assert done.code == 0 and "next: look at it, then run-bench --model MODEL --task exam.toml" in done.out
    done = main("--model", "echo", "--task", "exam.toml", "--plugin", odd)
    assert done.code == 0, done.err
    assert "table/exam (2 rows of test; data: exam.csv)" in done.out and "50.0" in done.out


def test_a_task_without_a_name_is_called_as_its_table_is(main):
    Path("My Exam_2.csv").write_text("question,answer\na,b\n")
    done = main("new-plugin", "--from", "My Exam_2.csv")
    assert done.code == 0 and Path("my-exam-2.toml").is_file()
    Path("4.csv").write_text("question,answer\na,b\n")
    assert "'4' cannot be a plugin's name" in main("new-plugin", "--from", "4.csv").err
    assert "the plugin has no name" in main("new-plugin").err


def test_a_task_that_is_there_is_not_touched(main):
    Path("exam.csv").write_text("question,answer\na,b\n")
    Path("exam.toml").write_text("mine")
    done = main("new-plugin", "exam", "--from", "exam.csv")
    assert done.code == 2 and "exam.toml is there already, and is not touched" in done.err
    assert Path("exam.toml").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_a_sentence(main):
    Path("exam.csv").write_text("question,answer\na,b\n")
    done = main("new-plugin", "exam", "--from", "exam.csv", "--output", "nowhere")
    assert done.code == 5 and "nowhere/exam.toml cannot be written: No such file or directory" in done.err
    done = main("new-plugin", "exam", "--output", "/proc/nowhere")
    assert done.code == 5 and "cannot be written" in done.err and "hint: --output DIR" in done.err
