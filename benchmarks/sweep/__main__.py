"""What it costs to plan a sweep of ten thousand cells, and of a million: `python -m benchmarks.sweep`.

Each plan is laid out in a process of its own, from the reading of the file to the last cell's command.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import write

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("toy", "ada-t5", "scimind", "hf", "mozi")
TASKS = ("toy", "toy-choice", "lpm24/text2smiles", "lpm24/smiles2text")
SIZES = {"1 cell": (1, 1, 1), "10,000 cells": (5, 4, 500), "1,000,000 cells": (5, 4, 50_000)}
RATES = 10


def main() -> None:
    write(
        "sweep",
        "Planning a sweep",
        [{"sweep": name, **measured(*size)} for name, size in SIZES.items()],
        command="python -m benchmarks.sweep",
        method="Reading the file, resolving every pair of model and task and every value with every model, "
        f"and laying out all cells (models × tasks × {RATES} learning rates × seeds), best of three; then "
        "the commands of the first ten thousand cells are written. Peak memory is that of the "
        "whole process, with all bundled plugins loaded; what the plan adds is the peak beyond it.",
    )


def measured(models: int, tasks: int, cells: int) -> dict[str, Any]:
    """Measure one sweep in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        several = cells > 1
        seeds = list(range(cells // RATES)) if several else [0]
        rates = [round(1e-4 * (1 + step), 6) for step in range(RATES if several else 1)]
        names = f"model = {json.dumps(MODELS[:models])}\ntask = {json.dumps(TASKS[:tasks])}\nseeds = {seeds}"
        path = Path(folder, "sweep.toml")
        path.write_text(f"[run]\n{names}\n[sweep.grid]\ntrain.learning_rate = {rates}\n", encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.sweep", str(path)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def child(path: Path) -> None:
    """Plan a file, and print what it took."""
    from harness.engine.plugin_manager import load_plugins
    from harness.engine.registry import Registry
    from harness.sweep.file import read_sweep
    from harness.sweep.plan import lay_out

    registry = Registry(load_plugins(entry_points=False))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        plan = lay_out(registry, read_sweep(path, os.environ))
        times.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    for trial in plan[:10_000]:
        plan.command(trial)
    commands = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    facts = {
        "cells": len(plan),
        "plan, s": round(min(times), 3),
        "commands of up to 10,000, s": round(commands, 3),
        "peak, MiB": round(after / 1024, 1),
        "of it the plan's, MiB": round((after - before) / 1024, 1),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    child(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
