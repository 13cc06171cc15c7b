"""Runs on data of one's own are shown, explained, compared and ranked without naming the data again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROWS = "id,word\n1,gold\n2,iron\n3,lead\n"


@pytest.fixture
def run(main, tmp_path: Path) -> Path:
    """Return a finished run on a folder of one's own."""
    (tmp_path / "own").mkdir()
    for split in ("train", "validation", "test"):
        (tmp_path / "own" / f"{split}.csv").write_text(ROWS)
    done = main("--model", "toy", "--task", "toy", "--data", "own", "--json")
    assert done.code == 0, done.err
    return Path(json.loads(done.out)["runs"][0]["directory"])


def commands(run: Path) -> dict[str, tuple[object, ...]]:
    return {
        "show": ("show", run),
        "card": ("card", run),
        "explain": ("explain", run, "--id", "1"),
        "compare": ("compare", run, run),
        "score": ("score", run),
        "score with its task": ("score", run, "--task", "toy"),
        "leaderboard": ("leaderboard", "--board", "mine"),
    }


@pytest.mark.parametrize("verb", commands(Path()))
def test_the_recorded_source_is_used_while_its_digest_fits(main, run, verb):
    done = main(*commands(run)[verb])
    assert done.code == 0, done.err
    assert "100.0" in done.out


@pytest.mark.parametrize("verb", commands(Path()))
def test_a_source_that_has_changed_since_is_said(main, run, verb):
    digest = json.loads((run / "record.json").read_text())["data_digest"]
    Path("own/test.csv").write_text(ROWS + "9,tin\n")
    done = main(*commands(run)[verb])
    assert done.code in (2, 4), done.out
    assert "own has " in done.err and digest in done.err
    assert done.err.count("error: ") == 1


def test_a_source_that_is_gone_is_said(main, run):
    Path("own").rename("elsewhere")
    done = main("show", run)
    assert done.code == 4 and "there is no data at own" in done.err
    assert "hint: --data FOLDER names its folder" in done.err
    assert main("show", run, "--data", "elsewhere").code == 0


def test_columns_that_were_named_are_named_again(main, tmp_path):
    (tmp_path / "mine").mkdir()
    for split in ("train", "test"):
        text = "structure,text\nCCO,It is an alcohol.\nCCN,It is an amine.\n"
        (tmp_path / "mine" / f"{split}.csv").write_text(text)
    columns = ("--set", "data.columns.smiles=structure", "--set", "data.columns.caption=text")
    source = ("--task", "captions/smiles2text", "--data", "mine", *columns)
    done = main("--model", "baseline/random", *source, "--metrics", "exact-match", "--json")
    assert done.code == 0, done.err
    run = json.loads(done.out)["runs"][0]["directory"]
    assert main("card", run).code == 0


@pytest.mark.parametrize(
    "verb", [("compare", "empty", "empty"), ("card", "empty"), ("explain", "empty", "--id", "1")]
)
def test_a_folder_that_is_no_run_is_said(main, tmp_path, verb):
    (tmp_path / "empty").mkdir()
    done = main(*verb)
    assert done.code == 4
    assert done.err == (
        "error: empty is no finished run and no submission\n"
        "hint: it has no record.json and no submission.json\n"
    )
