"""A run on a machine that loses its power: whatever is left on disk, the same command ends the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

from .power import Disk, at, restore

TOY = ("--model", "toy", "--task", "toy", "--quiet")


def only(tree, *names):
    """Return what is at a place where folders without a known name have one entry."""
    for name in names:
        if not isinstance(tree, dict):
            return None
        found = [key for key in tree if key == name or (name == "*" and not key.startswith("."))]
        tree = tree[found[0]] if found else None
    return tree


@pytest.fixture
def recorded(main, tmp_path, monkeypatch):
    """Return the disks that power cuts leave of one run, and the scores that the run has."""
    root = tmp_path / "disk"
    root.mkdir()
    disk = Disk(root)
    with monkeypatch.context() as patch:
        disk.watch(patch)
        assert main(*TOY, "--output", root / "runs").code == 0
    (scores,) = root.glob("runs/toy/toy/*/scores.json")
    return disk, scores.read_bytes()


def test_a_finished_run_is_finished_after_a_power_cut(recorded):
    disk, scores = recorded
    done = 0
    for cut in disk.cuts:
        run = only(cut, "runs", "toy", "toy", "*")
        if isinstance(run, dict) and "record.json" in run:
            done += 1
            assert run["record.json"] and run["scores.json"] == scores
            assert run["predictions.jsonl"].count(b"\n") == 23 and run["completions.jsonl"].count(b"\n") == 23
        trained = only(cut, "runs", "trained", "toy", "*")
        if isinstance(trained, dict) and "checkpoint.json" in trained:
            assert trained["checkpoint.json"]
            assert all(trained["checkpoint"].values()), "a checkpoint that is said to be done has its weights"
    assert done and len(disk.cuts) > 20


def test_the_same_command_ends_with_the_same_scores_whatever_is_left(main, recorded, tmp_path):
    disk, scores = recorded
    for number, cut in enumerate(disk.cuts):
        folder: Path = restore(cut, tmp_path / f"cut-{number}")
        done = main(*TOY, "--output", folder / "runs")
        assert done.code == 0, (number, done.err)
        (found,) = folder.glob("runs/toy/toy/*/scores.json")
        assert found.read_bytes() == scores
        assert not list(folder.rglob("*.partial"))


def test_the_recorder_sees_the_whole_run(recorded):
    disk, _ = recorded
    assert at(disk.cuts[-1], "runs", "toy") is not None
