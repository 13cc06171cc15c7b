"""What decoding costs: `python -m benchmarks.decoding [--lm-eval PYTHON] [--rounds 5]`.

PYTHON is the interpreter of an environment of its own that holds lm_eval and torch; without it lm-eval
is reported as not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import write

ROOT = Path(__file__).resolve().parents[2]
QUIET = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding", description=__doc__)
    parser.add_argument("--lm-eval", metavar="PYTHON", help="interpreter of an environment with lm_eval")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    os.environ.update(QUIET)  # before torch is imported
    packages = ["torch", "transformers"]
    command = "python -m benchmarks.decoding --lm-eval PYTHON"
    write(
        "decoding-process",
        "A whole process: 200 questions with four choices each, and 200 answers of 32 tokens",
        whole_processes(arguments.lm_eval, arguments.rounds),
        command=command,
        method=f"User and system CPU seconds and peak memory of the whole process, one thread; medians of "
        f"{arguments.rounds} rounds taken in turns. The floor is transformers alone in batches of 16. "
        f"lm-eval: {lm_eval_version(arguments.lm_eval)}.",
        packages=packages,
    )
    from . import speed

    write(
        "decoding-speed",
        "Inside one process: the harness against generate in fixed batches in the file's order",
        [row for work in speed.works() for row in speed.measure(work, arguments.rounds)],
        command=command,
        method=f"CPU seconds, one thread, medians of {arguments.rounds} rounds taken in turns after one that "
        "warms up. Mixed answers come from random weights whose end of text was made likelier.",
        packages=packages,
    )
    write(
        "decoding-precision",
        "Answers that change when requests are decoded together instead of alone",
        [row for work in speed.works() for row in speed.differing(work)],
        command=command,
        method="Greedy decoding; the texts of a run with --deterministic against those of the default. "
        "The weights are random, and their likeliest tokens closer together than a trained model's.",
        packages=packages,
    )


def whole_processes(lm_eval: str | None, rounds: int) -> list[dict[str, Any]]:
    """Measure every contestant as a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-c", WRITE, str(folder)], check=True, cwd=ROOT, capture_output=True)
        commands = {
            kind: [sys.executable, "-m", "benchmarks.decoding.contestant", kind, str(folder)]
            for kind in ("floor", "harness")
        }
        if lm_eval:
            commands["lm-eval, batches of 16"] = lm_eval_command(lm_eval, folder, "16")
        taken: dict[str, list[tuple[float, float]]] = {kind: [] for kind in commands}
        inside: dict[str, list[dict[str, Any]]] = {kind: [] for kind in commands}
        for _ in range(rounds):  # in turns, so that a busy moment hits all alike
            for kind, arguments in commands.items():
                cost, output = process(arguments, folder)
                taken[kind].append(cost)
                inside[kind].append(facts(output))
    rows = [process_row(kind, taken[kind], inside[kind], inside["floor"][0]) for kind in commands]
    return rows if lm_eval else [*rows, dict.fromkeys(rows[0], "not measured") | {"process": "lm-eval"}]


WRITE = """
import sys
from pathlib import Path
from benchmarks.decoding.workload import write
write(Path(sys.argv[1]))
"""
VERSIONS = """
from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("lm_eval", "torch", "transformers")), sep=", ")
"""


def process_row(
    kind: str,
    taken: list[tuple[float, float]],
    inside: list[dict[str, Any]],
    floor: dict[str, Any],
) -> dict[str, Any]:
    def median(name: str) -> Any:
        return round(statistics.median(found[name] for found in inside), 3) if name in inside[0] else "-"

    same = [a == b for a, b in zip(inside[0].get("texts", ()), floor["texts"], strict=False)]
    return {
        "process": kind,
        "CPU s": round(statistics.median(seconds for seconds, _ in taken), 2),
        "peak MiB": round(statistics.median(memory for _, memory in taken)),
        "choices CPU s": median("choices_seconds"),
        "answers CPU s": median("generate_seconds"),
        "accuracy": inside[0]["accuracy"],
        "same answers as floor": f"{sum(same)} of {len(same)}" if same else "-",
    }


def process(arguments: list[str], folder: Path) -> tuple[tuple[float, float], str]:
    """Run a command, and return its CPU seconds, its peak memory in MiB and what it printed."""
    path = folder / "output"
    environment = os.environ | QUIET | {"HF_HOME": str(folder / "hf"), "HF_DATASETS_OFFLINE": "1"}
    with path.open("w", encoding="utf-8") as file:
        started = subprocess.Popen(
            arguments, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {started.returncode}")
    return (usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), path.read_text(encoding="utf-8")


def facts(output: str) -> dict[str, Any]:
    """Read what a contestant says of itself; lm-eval prints a table."""
    for line in output.splitlines():
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
        if line.startswith("|bench_choices"):
            return {"accuracy": float(line.split("|")[7])}
    sys.exit(f"no result in: {output[-500:]}")


def lm_eval_command(python: str, folder: Path, size: str) -> list[str]:
    return [
        *(python, "-m", "lm_eval", "run", "--model", "hf"),
        *("--model_args", f"pretrained={folder / 'model'},dtype=float32"),
        *("--tasks", "bench_choices", "bench_prompts", "--include_path", str(folder / "tasks")),
        *("--batch_size", size, "--device", "cpu"),
    ]


def lm_eval_version(python: str | None) -> str:
    if python is None:
        return "not measured"
    done = subprocess.run([python, "-c", VERSIONS], check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
