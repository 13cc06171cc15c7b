"""A run that is killed at any moment ends, when its command is repeated, with the same bytes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS, ROWS = 10, 23
SLOW_SCORING = """
import time
from harness import MetricEntry, Score, hookimpl

@hookimpl
def harness_metrics():
    return [MetricEntry("slow-length", "answers' mean length", f"{__name__}:measure", range=(0, None))]

def measure(pairs):
    lengths = []
    for _, prediction in pairs:
        time.sleep(0.01)
        lengths.append(len(prediction.text))
    return Score("slow-length", sum(lengths) / len(lengths), len(lengths), tuple(lengths))
"""


def command(output: Path, plugin: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, str(ROOT / "run_bench.py"), "--model", "toy", "--task", "toy"),
        *("--set", "model.step_delay=0.03", "--set", "model.delay=0.01", "--max-steps", "10"),
        *(
            "--metrics",
            "letter-accuracy,slow-length",
            "--plugin",
            str(plugin),
            "--output",
            str(output),
            *more,
        ),
    ]


def scores(output: Path) -> bytes:
    (place,) = output.glob("toy/toy/*/scores.json")
    assert (place.parent / "record.json").exists()
    return place.read_bytes()


def kill_and_repeat(tmp_path: Path, kills: int, more: tuple[str, ...] = ()) -> dict[str, int]:
    """Kill `kills` runs at random moments, each repeated to its end; return where the kills hit."""
    plugin = tmp_path / "slow_scoring.py"
    plugin.write_text(SLOW_SCORING, encoding="utf-8")
    dice = random.Random(7)
    whole = tmp_path / "whole"
    subprocess.run(command(whole, plugin, *more), check=True, capture_output=True)
    expected = scores(whole)
    hits = dict.fromkeys(("loading", "training", "generating", "scoring", "done"), 0)
    for number in range(kills):
        output = tmp_path / f"killed-{number}"
        run = subprocess.Popen(
            command(output, plugin, *more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # By what is done, not by the clock, so that a busy machine is killed at the same places.
        target = (number + dice.random()) * (STEPS + ROWS + 1) / kills
        while progress(output) < int(target) and run.poll() is None:
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.03 if target < STEPS + ROWS else 0.3))
        run.kill()
        run.wait()
        hits[moment(output)] += 1
        done = subprocess.run(command(output, plugin, *more), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert scores(output) == expected
        shutil.rmtree(output)
    return hits


def progress(output: Path) -> int:
    """Count the training steps and the answers that are on disk."""
    steps = sum(path.read_bytes().count(b"train_step") for path in output.glob("trained/toy/*/events.jsonl"))
    return steps + sum(p.read_bytes().count(b"\n") for p in output.glob("toy/toy/*/completions*.jsonl"))


def moment(output: Path) -> str:
    """Tell from what is on disk where a kill hit."""
    if any(output.glob("toy/toy/*/record.json")):
        return "done"
    if any(output.glob("toy/toy/*")):
        rows = sum(path.read_bytes().count(b"\n") for path in output.glob("toy/toy/*/completions*.jsonl"))
        return "scoring" if rows == ROWS else "generating"
    return "training" if any(output.glob("trained/toy/*")) else "loading"


def test_eight_kills_and_repetitions_end_with_the_same_scores(tmp_path):
    hits = kill_and_repeat(tmp_path, 8)
    assert hits["training"] and hits["generating"] + hits["scoring"], hits


@pytest.mark.slow
def test_fifty_kills_and_repetitions_end_with_the_same_scores(tmp_path):
    hits = kill_and_repeat(tmp_path, 50)
    assert all(hits[name] for name in ("training", "generating", "scoring")), hits
    print(hits)


def test_one_run_that_is_killed_again_and_again_ends_with_the_same_scores(tmp_path):
    plugin = tmp_path / "slow_scoring.py"
    plugin.write_text(SLOW_SCORING, encoding="utf-8")
    whole, often = tmp_path / "whole", tmp_path / "often"
    begin = time.monotonic()
    subprocess.run(command(whole, plugin), check=True, capture_output=True)
    took = time.monotonic() - begin
    dice = random.Random(3)
    for _ in range(5):
        run = subprocess.Popen(command(often, plugin), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.4, 0.8) * took)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    subprocess.run(command(often, plugin), check=True, capture_output=True)
    assert scores(often) == scores(whole)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_run_cleanly_and_the_same_command_continues(tmp_path, number, code):
    plugin = tmp_path / "slow_scoring.py"
    plugin.write_text(SLOW_SCORING, encoding="utf-8")
    slow = ("--set", "model.delay=0.1")
    output = tmp_path / "out"
    run = subprocess.Popen(
        command(output, plugin, *slow), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while moment(output) != "generating" and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    run.send_signal(number)
    out, err = run.communicate(timeout=30)
    assert (run.returncode, out) == (code, "")
    assert "stopped; what is finished is kept, and the same command continues:\n  run-bench --model" in err
    assert "Traceback" not in err
    (journal,) = output.glob("toy/toy/*/completions.jsonl")
    kept = journal.read_bytes()
    assert kept.count(b"\n") >= 1
    again = subprocess.run(command(output, plugin, *slow), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert journal.read_bytes().startswith(kept)
