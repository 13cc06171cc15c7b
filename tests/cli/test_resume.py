"""`resume RUN`: the command that made a run, repeated from anywhere, and what stands against it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

TOY = ("--model", "toy", "--task", "toy")


@pytest.fixture
def run(main) -> Path:
    return Path(json.loads(main(*TOY, "--json").out)["runs"][0]["directory"])


def test_a_run_continues_from_anywhere(main, run, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = main("resume", tmp_path / run)
    assert done.code == 0, done.err
    assert done.err.startswith(f"continuing, in {tmp_path}: run-bench --model toy --task toy --json\n")
    assert json.loads(done.out)["runs"][0]["directory"] == str(run)


def test_its_result_is_printed_as_json_where_that_is_asked_for(main):
    assert main(*TOY, "--quiet").code == 0
    (made,) = Path().glob("runs/toy/toy/2*")
    done = main("resume", made, "--json")
    assert done.code == 0 and json.loads(done.out)["runs"][0]["directory"] == str(made)


def test_a_run_from_python_is_continued_there(main):
    import harness

    begun = harness.run(model="toy", task="toy", limit=3).directory
    done = main("resume", begun)
    assert (done.code, done.err) == (
        2,
        f"error: {begun} was begun from Python\nhint: the same call of harness.run continues it\n",
    )


def test_what_was_stopped_is_asked_again_and_only_that(main):
    stopped = main(*TOY, "--set", "model.crash_after=3")
    assert stopped.code == 5
    (journal,) = Path().glob("runs/toy/toy/*/completions.jsonl")
    rows = journal.read_bytes()
    done = main("resume", journal.parent)
    assert done.code == 5  # it was told to crash after three answers, and is told so again
    assert journal.read_bytes().startswith(rows) and journal.read_bytes().count(b"\n") == 6


def test_fresh_is_not_repeated(main):
    assert main(*TOY).code == 0
    run = json.loads(main(*TOY, "--fresh", "--json").out)["runs"][0]["directory"]
    done = main("resume", run)
    assert "--fresh" not in done.err and json.loads(done.out)["runs"][0]["directory"] == run


def test_settings_of_the_environment_are_set_again(main, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA__LIMIT", "5")
    run = json.loads(main(*TOY, "--json").out)["runs"][0]["directory"]
    monkeypatch.delenv("HARNESS_DATA__LIMIT")
    done = main("resume", run)
    assert json.loads(done.out)["runs"][0]["scores"]["letter-accuracy"]["n"] == 5


def test_a_folder_that_is_gone_is_said_with_what_to_do(main, tmp_path, monkeypatch):
    (tmp_path / "was").mkdir()
    monkeypatch.chdir(tmp_path / "was")
    run = json.loads(main(*TOY, "--output", tmp_path / "kept", "--json").out)["runs"][0]["directory"]
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(tmp_path / "was")
    done = main("resume", run)
    assert done.code == 2
    assert f"the run was begun in {tmp_path / 'was'}, which cannot be entered: No such file" in done.err
    assert "hint: run the command above where its files are now" in done.err


@pytest.mark.parametrize("place", ["nowhere", ".", "note.txt"])
def test_what_is_no_run_is_said(main, place):
    Path("note.txt").write_text("x")
    done = main("resume", place)
    assert done.code == 2
    assert done.err == f"error: {place} is no run directory\nhint: it should hold a spec.json\n"
