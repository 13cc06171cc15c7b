"""A file of one's own becomes a task by naming its columns; what cannot be is said with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import DataError, DataSpec, Request, UsageError
from harness.tasks.table.task import Table, TableOptions

ROWS = [
    {"question": "What is water?", "A": "H2O", "B": "CO2", "answer": "A", "level": 1},
    {"question": "What is dry ice?", "A": "H2O", "B": "CO2", "answer": "CO2", "level": 2},
]
CHOICE = {"prompt": "{question}", "answer": ("answer",), "choices": ("A", "B")}


def written(folder: Path, form: str, rows: Any = ROWS) -> Path:
    path = folder / f"qa.{form}"
    names = list(rows[0])
    if form == "json":
        path.write_text(json.dumps(rows))
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif form == "parquet":
        arrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(arrow.Table.from_pylist(rows), path)
    else:
        mark = {"csv": ",", "tsv": "\t"}[form]
        lines = [names, *([str(row[name]) for name in names] for row in rows)]
        path.write_text("".join(mark.join(line) + "\n" for line in lines))
    return path


def table(path: Path, **options: Any) -> Table:
    data = {key: options.pop(key) for key in ("skip_bad_rows",) if key in options}
    return Table(DataSpec(source=str(path), **data), TableOptions(**options))


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_every_form_holds_the_same_questions(form, tmp_path):
    task = table(written(tmp_path, form), **CHOICE)
    assert task.kind == "choose"
    first, second = task.examples("test")
    assert (first.inputs, first.choices, first.references) == (
        {"question": "What is water?"},
        ("H2O", "CO2"),
        ("H2O",),
    )
    assert second.references == ("CO2",)
    assert str(first.meta["level"]) == "1"
    assert task.prompt(first) == "What is water?"
    assert task.check().rows == {"test": 2}


def test_a_file_of_another_name_is_told_by_how_it_begins(tmp_path):
    path = written(tmp_path, "jsonl").rename(tmp_path / "qa.data")
    assert len(list(table(path, **CHOICE).examples("test"))) == 2
    tabs = written(tmp_path, "tsv").rename(tmp_path / "qa.txt")
    assert len(list(table(tabs, **CHOICE).examples("test"))) == 2


def test_several_answers_stand_in_columns_in_lists_or_between_separators(tmp_path):
    rows = [{"q": "Rome?", "one": "Roma|Rome", "two": "Urbs"}]
    (found,) = table(
        written(tmp_path, "csv", rows), prompt="{q}", answer=("one", "two"), separator="|"
    ).examples("test")
    assert found.references == ("Roma", "Rome", "Urbs")
    listed = [{"q": "Rome?", "one": ["Roma", "Rome"]}]
    (found,) = table(written(tmp_path, "json", listed), prompt="{q}", answer=("one",)).examples("test")
    assert found.references == ("Roma", "Rome")


def test_choices_of_one_column_and_answers_by_number(tmp_path):
    rows = [{"q": "Is it?", "options": ["yes", "no"], "label": 1}]
    path = written(tmp_path, "json", rows)
    options = {"prompt": "{q}", "answer": ("label",), "choices": ("options",)}
    (found,) = table(path, **options, count_from=0).examples("test")
    assert (found.choices, found.references) == (("yes", "no"), ("no",))
    (found,) = table(path, **options, count_from=1).examples("test")
    assert found.references == ("yes",)
    with pytest.raises(DataError, match="one of the choices, or its letter, found '1'"):
        list(table(path, **options).examples("test"))


def test_a_column_says_the_split_or_shares_draw_it(tmp_path):
    rows = [{"q": f"{n}?", "a": str(n), "split": ["train", "dev", "test"][n % 3]} for n in range(30)]
    task = table(written(tmp_path, "csv", rows), prompt="{q}", answer=("a",))
    assert task.splits() == ("train", "validation", "test")
    assert [len(list(task.examples(split))) for split in task.splits()] == [10, 10, 10]
    bare = [{key: value for key, value in row.items() if key != "split"} for row in rows]
    path = written(tmp_path, "json", bare)
    assert table(path, prompt="{q}", answer=("a",)).splits() == ("test",)
    drawn = table(path, prompt="{q}", answer=("a",), shares=(0.8, 0.1, 0.1))
    assert [len(list(drawn.examples(split))) for split in drawn.splits()] == [24, 3, 3]
    again = table(path, prompt="{q}", answer=("a",), shares=(0.8, 0.1, 0.1), shares_seed=1)
    assert list(again.examples("test")) != list(drawn.examples("test"))
    with pytest.raises(UsageError, match="add up to 1"):
        table(path, prompt="{q}", answer=("a",), shares=(0.8, 0.1)).splits()


def test_a_folder_holds_a_file_a_split(tmp_path):
    for split in ("train", "test"):
        written(tmp_path, "csv", [{"q": split, "a": "x"}]).rename(tmp_path / f"{split}.csv")
    task = table(tmp_path, prompt="{q}", answer=("a",))
    assert task.splits() == ("train", "test")
    assert [example.inputs["q"] for example in task.examples("train")] == ["train"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"question": ""}, "a text in 'question'"),
        ({"answer": ""}, "an answer in 'answer'"),
        ({"answer": "C"}, "one of the choices, or its letter"),
        ({"B": "H2O"}, "choices that differ"),
        ({"B": ""}, "two choices or more"),
    ],
)
def test_a_bad_row_is_refused_at_its_place_found_by_the_check_and_left_out_on_demand(row, expected, tmp_path):
    path = written(tmp_path, "csv", [*ROWS, ROWS[0] | row])
    with pytest.raises(DataError, match=rf"qa.csv:4: expected {expected}"):
        list(table(path, **CHOICE).examples("test"))
    report = table(path, **CHOICE).check()
    assert (report.rows, report.findings[0].line) == ({"test": 2}, 4)
    task = table(path, **CHOICE, skip_bad_rows=True)
    assert len(list(task.examples("test"))) == 2
    assert task.notes == ["1 bad rows of test were left out: qa.csv:4"]


@pytest.mark.parametrize(
    ("options", "says", "hint"),
    [
        ({"answer": ("answer",)}, "task.prompt is not set", "--set task.prompt='{question}'"),
        ({"prompt": "{question}"}, "task.answer is not set", "columns: question, A, B, answer, level"),
        ({**CHOICE, "prompt": "{quesion}"}, "no column 'quesion'", "did you mean question?"),
        ({**CHOICE, "choices": ("A", "X")}, "no column 'X'", "columns: question"),
        ({**CHOICE, "prompt": "{question} {answer}"}, "which holds the answer", "columns"),
        ({**CHOICE, "pattern": "("}, "task.pattern is no regular expression", ""),
    ],
)
def test_options_that_name_no_column_get_those_that_there_are(options, says, hint, tmp_path):
    with pytest.raises(UsageError, match=says) as refused:
        table(written(tmp_path, "csv"), **options).splits()
    assert hint in refused.value.hint


def test_the_answer_is_read_by_a_pattern(tmp_path):
    path = written(tmp_path, "csv")
    task = table(path, prompt="{question}", answer=("answer",), pattern=r"Answer: (\w+)")
    request = Request("1", "")
    assert task.answer("I think.\nAnswer: H2O.", request) == "H2O"
    assert task.answer("no idea", request) == ""


def test_files_that_are_no_tables_are_said(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="is empty"):
        table(tmp_path / "empty.csv", **CHOICE).splits()
    (tmp_path / "twice.csv").write_text("a,a\n1,2\n")
    with pytest.raises(DataError, match="each column once"):
        table(tmp_path / "twice.csv", prompt="{a}", answer=("a",)).splits()
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="holds no table"):
        table(tmp_path / "folder", **CHOICE).splits()
