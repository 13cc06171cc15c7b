"""A CSV of one's own on the command line, with and without a TOML file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CSV = "country,capital,split\nFrance,Paris,train\nSpain,Madrid,train\nItaly,Rome,test\n"
TOML = """
[task]
name = "capitals"
file = "rows.csv"
prompt = "Capital of {country}?"
answer = "capital"
metrics = ["exact-match"]
"""
NAMED = ("--set", "task.prompt=Capital of {country}?", "--set", "task.answer=capital")


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    """Lay a CSV and a task of it in the folder where the program runs."""
    (tmp_path / "rows.csv").write_text(CSV)
    (tmp_path / "rows.toml").write_text(TOML)


def test_a_csv_is_a_task(main: Callable[..., Any], tmp_path: Path) -> None:
    done = main("--model", "baseline/random", "--task", "csv:rows.csv", *NAMED, "--quiet")
    assert done.code == 0, done.err
    assert "table/rows (1 rows of test; data: rows.csv)" in done.out
    (record,) = tmp_path.glob("runs/table/rows/*/*/record.json")
    assert json.loads(record.read_text())["sample"] is False


def test_a_toml_file_is_a_task_whose_settings_flags_override(main: Callable[..., Any]) -> None:
    done = main("--model", "baseline/random", "--task", "rows.toml", "--quiet", "--json")
    assert done.code == 0, done.err
    (run,) = json.loads(done.out)["runs"]
    assert (run["task"], list(run["scores"])) == ("table/capitals", ["exact-match"])
    other = main("--model", "baseline/random", "--task", "rows.toml", "--metrics", "rouge-l", "--json")
    assert list(json.loads(other.out)["runs"][0]["scores"]) == ["rouge-l"]


def test_check_and_show_open_what_a_run_opens(main: Callable[..., Any]) -> None:
    done = main("data", "check", "--task", "rows.toml")
    assert (done.code, "nothing wrong" in done.out) == (0, True), done.err
    done = main("data", "check", "rows.csv", "--task", "table", *NAMED)
    assert done.code == 0, done.err
    done = main("data", "show", "--task", "csv:rows.csv", *NAMED)
    assert "Capital of Italy?" in done.out


@pytest.mark.parametrize(
    ("task", "code", "says"),
    [
        ("rows.csv", 2, "--task csv:rows.csv asks its rows"),
        ("csv:absent.csv", 4, "there is no file absent.csv"),
        ("absent.toml", 4, "there is no file absent.toml"),
        ("csv:rows.csv", 2, "--set task.prompt='{country}'"),
    ],
)
def test_what_is_no_task_gets_a_hint(main: Callable[..., Any], task: str, code: int, says: str) -> None:
    done = main("--model", "baseline/random", "--task", task)
    assert (done.code, says in done.err) == (code, True), done.err


def test_a_toml_file_with_an_unknown_key_is_refused_with_the_nearest(
    main: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "rows.toml").write_text(TOML.replace("prompt =", "promt ="))
    done = main("--model", "baseline/random", "--task", "rows.toml")
    assert (done.code, "did you mean prompt" in done.err) == (2, True), done.err


def test_a_table_is_looked_at_and_a_task_written_that_runs(main: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "exam.csv").write_text(
        "id,question,A,B,answer\n1,What is water?,H2O,CO2,1\n2,What is dry ice?,H2O,CO2,2\n"
    )
    done = main("new-plugin", "exam", "--from", "exam.csv")
    assert done.code == 0, done.err
    written = (tmp_path / "exam.toml").read_text()
    assert 'prompt = "{question}"' in written
    assert 'choices = ["A", "B"]' in written
    assert "count_from = 1" in written
    assert main("data", "check", "--task", "exam.toml").code == 0
    assert main("new-plugin", "exam", "--from", "exam.csv").code == 2


def test_a_table_without_training_rows_is_told_how_to_get_some(
    main: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("q,a\none,1\ntwo,2\n")
    asked = ("--model", "toy", "--task", "csv:rows.csv", "--set", "task.prompt={q}", "--set", "task.answer=a")
    done = main(*asked, "--quiet")
    assert done.code == 2 and "no split 'train'" in done.err
    assert "--set task.shares=0.8,0.1,0.1" in done.err and "--no-train" in done.err
