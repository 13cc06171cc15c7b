"""`sweep` as its users meet it: the plan, the board, what is said of what went wrong."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

from harness.cli.sweep_view import last_line
from harness.engine.run_dir import locked

SWEEP = """
[run]
model = ["toy"]
task = ["toy"]
seeds = [0, 1]

[sweep]
memory_gb = 0.1
workers = 2

[sweep.grid]
train.max_steps = [1, 4]
"""


def write(tmp_path: Path, text: str = SWEEP) -> Path:
    path = tmp_path / "sweep.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plan_says_what_would_run_and_writes_nothing(main, tmp_path: Path) -> None:
    write(tmp_path)
    done = main("sweep", "sweep.toml", "--dry-run")
    assert done.code == 0
    assert "toy on toy, max_steps=1, seed 0\n  run-bench run --model toy --task toy --seeds 0" in done.out
    assert not Path("runs").exists()
    facts = json.loads(main("sweep", "sweep.toml", "--dry-run", "--all", "--json").out)
    assert (facts["cells"], len(facts["planned"])) == (4, 4)
    assert {cell["state"] for cell in facts["planned"]} == {": to be run"}


def test_a_sweep_ends_with_one_board_and_begins_again_with_it(main, tmp_path: Path) -> None:
    write(tmp_path)
    done = main("sweep", "sweep.toml")
    assert done.code == 0, done.err
    assert "toy (23 rows of test; built-in sample" in done.out
    lines = [line for line in done.out.splitlines() if line.startswith("toy [tiny] max_steps=")]
    assert [line.split("  ")[0] for line in lines] == [
        "toy [tiny] max_steps=1, 2 seeds",
        "toy [tiny] max_steps=4, 2 seeds",
    ]
    assert "4 cells: 4 finished" in done.out
    assert "4 cells, here: 2 processes at once" in done.err
    again = main("sweep", "sweep.toml", "--json")
    facts = json.loads(again.out)
    assert facts["finished"] == len(list(Path("runs/toy/toy").glob("*/record.json"))) == 4
    assert facts["cells"][0]["scores"]["letter-accuracy"]["value"] > 0
    assert "finished, runs/toy/toy/" in main("sweep", "sweep.toml", "--dry-run", "--all").out
    with locked(Path("runs"), "sweep-" + next(Path("runs").glob(".sweep-*.lock")).name[7:15]):
        refused = main("sweep", "sweep.toml")
    assert refused.code == 4
    assert "is already working on this run" in refused.err


def test_what_failed_is_named_with_its_log_and_gives_the_exit_code(main, tmp_path: Path) -> None:
    write(tmp_path, "[run]\nmodel = 'toy'\ntask = 'toy'\n[sweep]\nretries = 0\n[model]\ncrash_after = 2\n")
    done = main("sweep", "sweep.toml")
    assert done.code == 5
    assert "failed:\n  toy on toy: the toy model crashed after 2 answers" in done.out
    assert "(its log: " in done.out
    assert "1 cell: 0 finished, 1 failed" in done.out
    assert json.loads(main("sweep", "sweep.toml", "--json").out)["cells"][0]["status"] == "failed"


def test_a_spent_budget_is_said_with_what_is_left(main, tmp_path: Path) -> None:
    write(tmp_path)
    done = main("sweep", "sweep.toml", "--budget-hours", "1e-9")
    assert done.code == 5
    assert "error: the budget is spent, 4 cells are left" in done.err
    assert "the same command continues" in done.err


def test_mistakes_are_said_before_anything_runs(main, tmp_path: Path) -> None:
    for text, said in (
        ("[sweep]\nretires = 1", "did you mean retries?"),
        ("[run]\nmodel='tooy'\ntask='toy'", "did you mean toy"),
        ("[run]\nmodel='toy'", "the sweep has no cell: no task is named"),
    ):
        write(tmp_path, text)
        done = main("sweep", "sweep.toml")
        assert done.code == 2
        assert said in done.err
    assert main("sweep", "nowhere.toml").code == 2
    assert not Path("runs").exists()


def test_a_sweep_file_is_no_config_of_a_run(main, tmp_path: Path) -> None:
    write(tmp_path)
    done = main("run", "--config", "sweep.toml")
    assert done.code == 2
    assert "sets 'sweep.memory_gb', which nothing reads" in done.err


def test_a_terminal_shows_what_runs(tmp_path: Path) -> None:
    write(tmp_path, "[run]\nmodel = 'toy'\ntask = 'toy'\n[model]\nstep_delay = 0.4\n")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "harness", "sweep", "sweep.toml"]
    env = os.environ | {"COLUMNS": "80", "TERM": "xterm"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs, env=env) as sweep:
        os.close(theirs)
        shown = b""
        while sweep.poll() is None or not shown:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
    os.close(ours)
    text = shown.decode()
    assert "running" in text
    assert "toy on toy" in text
    assert "training: 4 steps" in text
    assert "1 cell: 0 finished, 1 left" in text


def test_the_last_line_of_a_log_is_one_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("first\nlast\n\n  \n")
    assert last_line(log) == "last"
    log.write_text("")
    assert last_line(log) == ""
