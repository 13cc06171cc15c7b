"""What a record says about the machine, the versions and the code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import harness
from harness.engine import environment
from harness.engine.bundled import WITH_VERBS, verbs
from harness.engine.plugin_manager import bundled_modules


def test_a_description_can_be_written_and_names_what_ran():
    found = json.loads(json.dumps(environment.describe()))
    assert found["assay"] == harness.__version__
    assert found["packages"]["pluggy"] == environment.version_of("pluggy")
    assert found["processor"]
    assert found["cpus"] >= 1
    assert set(found) == {
        "assay",
        "commit",
        "python",
        "platform",
        "processor",
        "cpus",
        "device",
        "packages",
    }


def test_a_distribution_that_is_not_installed_has_no_version():
    assert environment.version_of("no-such-distribution") == ""


def test_memory_is_counted_in_mebibytes():
    before = environment.peak_memory_mib()
    assert 10 < before < 100_000
    block = bytearray(b"x" * (int(before) + 64) * 2**20) if before < 256 else b""
    assert environment.peak_memory_mib() >= before + (48 if block else 0)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout of one file, which the program takes for its own."""
    (tmp_path / "harness").mkdir()
    file = tmp_path / "harness" / "__init__.py"
    file.write_text("", encoding="utf-8")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True, capture_output=True)
    monkeypatch.setattr(harness, "__file__", str(file))
    return tmp_path


def test_the_code_is_a_commit_and_is_marked_where_files_differ_from_it(checkout: Path) -> None:
    clean = environment.commit()
    assert len(clean) == 40
    (checkout / "notes.txt").write_text("of nobody's business")
    assert environment.commit() == clean
    (checkout / "harness" / "__init__.py").write_text("x = 1")
    assert environment.commit() == f"{clean} with local changes"


def test_an_installed_program_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "__file__", str(tmp_path / "harness" / "__init__.py"))
    assert environment.commit() == ""


def test_a_checkout_that_git_cannot_read_is_no_fault(checkout: Path, monkeypatch) -> None:
    (checkout / ".git" / "HEAD").unlink()
    assert environment.commit() == ""
    monkeypatch.setenv("PATH", "")
    assert environment.commit() == ""


def test_the_help_lists_the_verbs_of_every_bundled_plugin_that_brings_some():
    import importlib

    bringing = {name for name in bundled_modules() if hasattr(importlib.import_module(name), "harness_verbs")}
    assert set(WITH_VERBS) == bringing
    names = [entry.name for entry in verbs()]
    assert len(names) == len(set(names)) > 5
