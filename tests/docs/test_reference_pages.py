"""The reference pages name everything that there is."""

from __future__ import annotations

import pytest

from harness.engine import run_dir
from harness.engine.config import schema
from harness.files import finished

from .pages import ROOT


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", schema())
def test_every_setting_is_on_the_page(key: str) -> None:
    assert f"| `{key}` |" in page("config")


def test_no_setting_is_on_the_page_that_nothing_reads() -> None:
    rows = [line.split("`")[1] for line in page("config").splitlines() if line.startswith("| `")]
    assert not [key for key in rows if key not in schema() and not key.endswith(".NAME")]


@pytest.mark.parametrize(
    "file",
    [
        *(getattr(run_dir, name) for name in ("SPEC", "CHECKPOINT", "EVENTS", "LOG")),
        *(getattr(finished, name) for name in ("RECORD", "PREDICTIONS", "SCORES")),
        finished.COMPLETIONS.replace("*", ""),
    ],
)
def test_every_file_of_a_run_is_on_the_page(file: str) -> None:
    assert f"`{file}`" in page("run-directory")
