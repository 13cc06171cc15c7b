"""Trainings that the program itself starts in several processes, as a user does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .test_distributed import curve

pytestmark = pytest.mark.distributed
ROOT = Path(__file__).resolve().parents[2]
HUNGRY = Path(__file__).with_name("hungry.py")
COMMAND = [sys.executable, str(ROOT / "run_bench.py"), "train", "--model", "hungry", "--task", "toy"]
COMMAND += ["--plugin", str(HUNGRY), "--max-steps", "6", "--set", "train.save_every=3"]
COMMAND += ["--set", "train.batch_size=8"]


def train(output: Path, *arguments: str) -> tuple[Path, str]:
    """Train and return the directory of the training, with what was said on standard error."""
    done = subprocess.run(
        [*COMMAND, "--output", str(output), *arguments], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    (log,) = output.glob("trained/hungry/*/train_log.jsonl")
    return log.parent, done.stderr


@pytest.mark.parametrize(
    "strategy", ["ddp", *(pytest.param(s, marks=pytest.mark.slow) for s in ("fsdp", "zero2", "zero3"))]
)
def test_one_process_out_of_memory_halves_the_micro_batch_of_all(strategy: str, tmp_path: Path) -> None:
    alone, _ = train(tmp_path / "alone")
    shared, said = train(
        tmp_path / "shared", "--processes", "2", "--set", f"train.launch.strategy={strategy}"
    )
    assert "note: out of memory at step 5 in process 1; the stage is started again" in said
    events = map(json.loads, (shared / "events.jsonl").read_text().splitlines())
    finished = next(event for event in events if event["event"] == "training_finished")
    assert (finished["micro_batch_splits"], finished["processes"]) == (2, 2)
    assert finished["strategy"] == strategy
    assert curve(shared) == pytest.approx(curve(alone), abs=5e-6)
