"""A release is told of in the changes, and its version stands in one place."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path

import pytest

import harness

ROOT = Path(__file__).resolve().parents[2]
RELEASE = runpy.run_path(str(ROOT / ".ci" / "release.py"))


def test_the_changes_tell_of_this_version_and_a_release_without_that_is_refused() -> None:
    RELEASE["told"](harness.__version__)
    for other in ("9.9.9", "0.1"):
        with pytest.raises(SystemExit, match=f"CHANGELOG.md has no section for {other}"):
            RELEASE["told"](other)


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"] and "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "harness/__init__.py"
