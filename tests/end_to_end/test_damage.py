"""Whatever is damaged in what a run left is found, named, and healed or refused, never used in silence."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

TOY = ("--model", "toy", "--task", "toy", "--max-steps", "5")


@pytest.fixture
def run(main, tmp_path):
    """Return the folder of a finished run, in one whose runs may be damaged."""
    assert main(*TOY, "--quiet", "--output", tmp_path / "runs").code == 0
    (record,) = tmp_path.glob("runs/toy/toy/*/record.json")
    return record.parent


@pytest.fixture
def trained(run):
    """Return the folder of the training under the run."""
    (done,) = run.parents[2].glob("trained/toy/*/checkpoint.json")
    return done.parent


def flip(path: Path, seed: int = 0) -> None:
    """Change one letter or digit of a file to another."""
    content = bytearray(path.read_bytes())
    places = [place for place, byte in enumerate(content) if chr(byte).isalnum()]
    place = random.Random(f"{path.name} {seed}").choice(places)
    content[place] = content[place] % 10 + 48 if content[place] in b"012345678" else content[place] ^ 1
    path.write_bytes(content)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def edit(path: Path) -> None:
    """Change what a run says as somebody would who wants a better score, in one place."""
    text = path.read_text(encoding="utf-8")
    old, new = ("0.", "0.9") if "0." in text else ('"text": "', '"text": "x')
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("harm", [flip, halve, empty, edit, Path.unlink], ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("name", ["record.json", "completions.jsonl", "predictions.jsonl", "scores.json"])
def test_the_same_command_makes_a_damaged_run_whole_and_names_what_was_damaged(main, run, name, harm, caplog):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    harm(run / name)
    again = main(*TOY, "--output", run.parents[2])
    assert again.code == 0
    if not (name == "record.json" and harm is Path.unlink):  # which is a run that is not finished
        assert f"{name} is " in caplog.text or f"{name} cannot be read" in caplog.text
    for kept in ("scores.json", "predictions.jsonl"):
        assert (run / kept).read_bytes() == before[kept]
    said = {json.loads(line)["text"] for line in (run / "completions.jsonl").read_bytes().splitlines()}
    assert said == {json.loads(line)["text"] for line in before["completions.jsonl"].splitlines()}
    caplog.clear()
    assert main(*TOY, "--output", run.parents[2]).code == 0 and not caplog.text


@pytest.mark.parametrize("verb", ["show", "explain", "score", "leaderboard", "python"])
@pytest.mark.parametrize("name", ["record.json", "completions.jsonl", "predictions.jsonl", "scores.json"])
def test_a_damaged_run_is_shown_scored_and_ranked_by_nobody(main, run, tmp_path, name, verb):
    flip(run / name)
    if verb == "python":
        import harness

        with pytest.raises(harness.DataError, match=name):
            harness.load_run(run)
        return
    arguments = {
        "show": ("show", run),
        "explain": ("explain", run, "--id", "element-4"),
        "score": ("score", run, "--task", "toy"),
        "leaderboard": ("leaderboard", "--runs", run.parents[2], "--output", tmp_path / "boards"),
    }
    done = main(*arguments[verb])
    assert done.code == (2 if verb == "leaderboard" else 4), done  # it says that no run is left
    assert f"{name} " in done.err and ("is not what was written" in done.err or "line" in done.err)


@pytest.mark.parametrize("harm", [flip, halve, empty], ids=lambda harm: harm.__name__)
def test_damaged_weights_are_never_asked(main, run, trained, harm):
    shutil.rmtree(run)
    weights = next(path for path in sorted((trained / "checkpoint").rglob("*")) if path.is_file())
    harm(weights)
    done = main(*TOY, "--output", run.parents[2])
    assert done.code == 4
    assert f"the weights in {trained / 'checkpoint'} are not what was written" in done.err
    assert "--fresh" in done.err
    other = main("--model", "toy", "--task", "toy", "--checkpoint", trained, "--output", run.parents[2] / "x")
    assert other.code == 4 and "not what was written" in other.err
    assert main(*TOY, "--fresh", "--quiet", "--output", run.parents[2]).code == 0


@pytest.mark.parametrize("name", ["checkpoint.json"])
def test_a_damaged_note_of_a_training_is_refused(main, run, trained, name):
    shutil.rmtree(run)
    flip(trained / name)
    done = main(*TOY, "--output", run.parents[2])
    assert done.code == 4 and f"{trained / name} is not what was written" in done.err


def test_damaged_answers_of_an_unfinished_run_are_asked_again(main, run, caplog):
    whole = (run / "scores.json").read_bytes()
    for name in ("record.json", "scores.json", "predictions.jsonl"):
        (run / name).unlink()
    edit(run / "completions.jsonl")
    done = main(*TOY, "--output", run.parents[2])
    assert done.code == 0 and "completions.jsonl: 1 damaged answers are asked for again" in caplog.text
    assert (run / "scores.json").read_bytes() == whole


def test_resume_refuses_a_command_that_was_damaged(main, run):
    edit(run / "spec.json")
    (run / "record.json").unlink()
    flip(run / "spec.json")
    done = main("resume", run)
    assert done.code == 4 and "spec.json is not what was written" in done.err
