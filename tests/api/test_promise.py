"""What others rely on stays as long as the version of the interface does."""

from __future__ import annotations

import runpy
from pathlib import Path

SURFACE = runpy.run_path(str(Path(__file__).resolve().parents[2] / ".ci" / "surface.py"))


def test_nothing_that_was_promised_is_gone() -> None:
    promised = SURFACE["PROMISED"].read_text(encoding="utf-8").splitlines()
    gone = set(promised) - set(SURFACE["surface"]())
    assert not gone, (
        "put it back, or leave a synonym; else raise API_VERSION, say in docs/how-to/upgrade.md what stands "
        "in its place, and run: python .ci/surface.py"
    )


def test_every_kind_of_promise_is_kept_in_the_file() -> None:
    promised = set(SURFACE["PROMISED"].read_text(encoding="utf-8").splitlines())
    assert promised >= {
        "harness.Example.id",
        "harness.run(model)",
        "harness.ModelPlugin.train",
        "hook harness_prompt(task)",
        "exit code 3 PluginError",
        "verb data export --to",
        "verb run --model",
        "setting train.epochs",
    }
