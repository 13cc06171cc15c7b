"""The trackers that the documentation shows hear a training, and cannot end it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "training.md"


def shown(name: str) -> str:
    """Return a file that the page shows."""
    return PAGE.read_text(encoding="utf-8").partition(f"```python {name}_tracker.py\n")[2].partition("```")[0]


def train(folder: Path, name: str) -> str:
    """Train toy with a tracker; return what was said on standard error."""
    (folder / f"{name}_tracker.py").write_text(shown(name), encoding="utf-8")
    command = [sys.executable, str(ROOT / "run_bench.py"), "train", "--model", "toy", "--task", "toy"]
    done = subprocess.run(
        [*command, "--plugin", f"{name}_tracker.py"], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("name", ["wandb", "mlflow", "trackio"])
def test_a_tracker_hears_the_training_or_says_once_what_is_missing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    said = train(tmp_path, name)
    failure = f"harness_event of plugin '{name}_tracker' failed"
    if find_spec(name) is None:
        assert said.count(failure) == said.count(f"No module named '{name}'") == 1
        return
    assert failure not in said
    kept = {"wandb": "runs/**/*.wandb", "mlflow": "mlflow.db", "trackio": "trackio/assay.db"}
    assert any(b"train_step/loss" in path.read_bytes() for path in tmp_path.glob(kept[name]))
