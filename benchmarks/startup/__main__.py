"""CPU seconds of the light commands over bare Python: `python -m benchmarks.startup`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import write

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 11
PLUGINS, TASKS = 20, 200
MANY = f"list tasks, {PLUGINS} plugins x {TASKS} tasks"
GOALS = {"--help": 0.05, MANY: 0.15} | dict.fromkeys(
    ("list models", "list tasks", "show toy", "show bleu-4"), 0.08
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        install_plugins(Path(folder))
        program = [sys.executable, str(ROOT / "run_bench.py")]
        many = {"PYTHONPATH": folder}
        commands: dict[str, tuple[list[str], dict[str, str]]] = {
            "python -c pass": ([sys.executable, "-c", "pass"], {}),
            "--help": ([*program, "--help"], {}),
            "list models": ([*program, "list", "models"], {}),
            "list tasks": ([*program, "list", "tasks"], {}),
            MANY: ([*program, "list", "tasks"], many),
            "show toy": ([*program, "show", "toy"], {}),
            "show bleu-4": ([*program, "show", "bleu-4"], {}),
            "plugins": ([*program, "plugins"], {}),
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(ROUNDS + 1):  # in turns, so that a busy moment hits all alike; the first warms up
            for name, (command, extra) in commands.items():
                taken = cpu_seconds(command, folder, extra)
                if number:
                    seconds[name].append(taken)
    bare = statistics.median(seconds["python -c pass"])
    rows = [
        {
            "command": name,
            "CPU s": round(statistics.median(taken), 4),
            "over bare": round(statistics.median(taken) - bare, 4),
            "goal": GOALS.get(name, ""),
        }
        for name, taken in seconds.items()
    ]
    write(
        "startup",
        "Start-up",
        rows,
        command="python -m benchmarks.startup",
        method=f"User and system CPU seconds of the whole process; medians of {ROUNDS} rounds in turns.",
        packages=["pluggy"],
    )


def install_plugins(folder: Path) -> None:
    """Lay out installed distributions with their entry points, as pip does."""
    for number in range(PLUGINS):
        name = f"bench_{number}"
        entries = f"[TaskEntry(f'{name}/task-{{i}}', 'a task', '{name}.task:T') for i in range({TASKS})]"
        (folder / f"{name}.py").write_text(
            "from harness import TaskEntry, hookimpl\n\n"
            f"@hookimpl\ndef harness_tasks():\n    return {entries}\n",
            encoding="utf-8",
        )
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8"
        )
        (info / "entry_points.txt").write_text(f"[harness]\n{name} = {name}\n", encoding="utf-8")


def cpu_seconds(command: list[str], folder: str, extra: dict[str, str]) -> float:
    """Run a command and return its CPU seconds."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    process = subprocess.Popen(command, cwd=folder, env=kept | extra, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
