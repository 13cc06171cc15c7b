"""`doctor` and `plugins`: what this machine lacks, the line that mends it, and which plugins are in use."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.cli import doctor
from harness.cli.doctor import PARTS, Check


@pytest.fixture
def checks(monkeypatch):
    """Return a function that runs the doctor's own checks of one kind."""

    def of(kind: str, *arguments: object) -> list[Check]:
        found = getattr(doctor, kind)(*arguments)
        return [found] if isinstance(found, Check) else list(found)

    return of


def test_a_library_that_is_missing_has_the_line_that_installs_it(checks, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = checks("_parts")
    assert [check.state for check in found] == ["missing"] * len(PARTS)
    assert [check.mend for check in found] == [line for _, line in PARTS.values()]
    assert all(check.mend.startswith("pip install ") for check in found)


def test_without_torch_the_device_is_unknown_and_no_fault(checks, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (check,) = checks("_device")
    assert (check.state, check.found) == ("missing", "unknown without torch")


def test_a_gpu_that_torch_cannot_use_is_bad(checks, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/nvidia-smi")
    (check,) = checks("_device")
    assert check.state == "bad" and check.mend == "install a CUDA build of torch"


@pytest.mark.parametrize(("free", "state"), [(8, "ok"), (1, "bad")])
def test_little_memory_is_bad(checks, monkeypatch, free, state):
    sizes = {"SC_AVPHYS_PAGES": free * 2**18, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    (check,) = checks("_memory")
    assert (check.state, check.found) == (state, f"{free}.0 GiB free")


def test_a_system_that_does_not_tell_its_memory_is_no_fault(checks, monkeypatch):
    def tells_nothing(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", tells_nothing)
    (check,) = checks("_memory")
    assert check.state == "ok"


def test_a_folder_that_cannot_keep_runs_is_bad_with_what_to_do(checks, tmp_path):
    (tmp_path / "file").write_text("")
    (check,) = checks("_folder", tmp_path / "file" / "runs")
    assert check.state == "bad" and "--output" in check.mend
    (check,) = checks("_folder", tmp_path / "runs")
    assert check.state == "ok" and check.found.endswith("GiB free")


@pytest.fixture
def healthy(monkeypatch):
    """Leave out what depends on this machine."""
    for kind in ("_device", "_memory"):
        monkeypatch.setattr(doctor, kind, lambda kind=kind: Check(kind.strip("_"), "ok", "fine"))
    monkeypatch.setattr(doctor, "_parts", lambda: [Check("torch (x)", "missing", "no", "pip install torch")])


def test_what_is_only_missing_leaves_the_exit_code_alone(main, healthy):
    done = main("doctor")
    assert done.code == 0, done.out
    (row,) = [line for line in done.out.splitlines() if "torch" in line]
    assert row.split() == ["missing", "torch", "(x)", "no", "pip", "install", "torch"]


def test_what_is_bad_makes_it_one_and_is_written_large(main, healthy):
    Path("file").write_text("")
    done = main("doctor", "--output", "file/runs")
    assert done.code == 1
    assert [line.split()[0] for line in done.out.splitlines() if "run folder" in line] == ["BAD"]
    states = {check["name"]: check["state"] for check in json.loads(main("doctor", "--json").out)}
    assert states["run folder"] == "ok" and states["python"] == "ok"


def test_plugins_are_listed_with_what_they_bring(main, odd):
    done = main("plugins", "--plugin", odd)
    assert done.code == 0
    (row,) = [line for line in done.out.splitlines() if line.split()[1:2] == ["odd"]]
    assert row.split()[0] == "OK" and "7 metrics, 3 models, 5 tasks" in row
    facts = {plugin["name"]: plugin for plugin in json.loads(main("plugins", "--plugin", odd, "--json").out)}
    assert facts["odd"]["ok"] is True and facts["odd"]["reason"] == "" and facts["toy"]["heavy"] == []


def test_a_plugin_that_is_left_out_is_not_listed(main):
    names = [line.split()[1] for line in main("plugins", "--no-plugin", "toy").out.splitlines()[2:-1]]
    assert "toy" not in names and "hf" in names


def test_a_plugin_is_held_to_the_kit_with_a_line_a_check_and_a_badge(main, write_plugin):
    plugin = write_plugin(
        """
        from harness import MetricEntry, Score, hookimpl

        @hookimpl
        def harness_metrics():
            return [MetricEntry("half", "one half", f"{__name__}:half", definition="0.5", source="here")]

        def half(pairs):
            return Score("half", 0.5, len(pairs))
        """,
        "halves",
    )
    done = main("plugins", "check", plugin, "--badge", "badge.svg")
    assert "half" in done.out and Path("badge.svg").read_text().startswith("<svg")
    rows = json.loads(main("plugins", "check", plugin, "--json").out)
    assert done.code == int(any(row["status"] == "failed" for row in rows))
    assert {row["status"] for row in rows} <= {"passed", "failed", "skipped"}
