"""The reference pages name everything that there is."""

from __future__ import annotations

from inspect import getmembers, isclass

import pytest

from harness.api import errors, hooks
from harness.api.errors import HarnessError
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


@pytest.mark.parametrize("hook", [name for name in dir(hooks) if name.startswith("harness_")])
def test_every_hook_is_on_the_page(hook: str) -> None:
    assert f"| `{hook}` |" in page("hooks")


@pytest.mark.parametrize(
    ("name", "kind"),
    [(n, k) for n, k in getmembers(errors, isclass) if issubclass(k, HarnessError)],
)
def test_every_error_is_on_the_page_with_its_exit_code(name: str, kind: type[HarnessError]) -> None:
    assert f"| `{name}` | {kind.exit_code} |" in page("errors")


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
