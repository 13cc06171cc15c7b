"""What decoding costs: `python -m benchmarks.decoding [PART ...] [--lm-eval PYTHON] [--rounds 5]`.

PYTHON is the interpreter of an environment of its own that holds lm_eval and torch; without it lm-eval
is reported as not measured. `--before FOLDER` names a checkout of an earlier commit for the part
`commits`, which is left out without it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import write

from .workload import NEW_TOKENS, rows

ROOT = Path(__file__).resolve().parents[2]
SIZES = (16, 64, 256)  # of lm-eval's batches
COMPLETIONS = "completions.jsonl"
QUIET = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


PACKAGES = ("torch", "transformers")
COMMAND = "python -m benchmarks.decoding --lm-eval PYTHON"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--lm-eval", metavar="PYTHON", help="interpreter of an environment with lm_eval")
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="checkout of an earlier commit")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if "commits" in arguments.parts and arguments.before is None:
        parser.error("commits needs --before FOLDER")
    os.environ.update(QUIET)  # before torch is imported
    for name, measure in PARTS.items():
        if name in (arguments.parts or PARTS):
            measure(arguments)


def measure_processes(arguments: argparse.Namespace) -> None:
    sizes = ", ".join(map(str, SIZES))
    write(
        "decoding-process",
        "A whole process: 200 questions with four choices each, and 200 answers of 32 tokens",
        whole_processes(arguments.lm_eval, arguments.rounds),
        command=COMMAND,
        method=f"User and system CPU seconds and peak memory of the whole process, one thread; medians of "
        f"{arguments.rounds} rounds taken in turns, and of the rounds' ratios. "
        "floor: transformers alone in batches of 16. "
        "harness.decoding: its functions in a script. run-bench: the whole command, which also scores and "
        f"records. lm-eval in batches of {sizes}; its own seconds inside are not known. "
        f"lm-eval: {lm_eval_version(arguments.lm_eval)}.",
        packages=PACKAGES,
    )


def measure_speed(arguments: argparse.Namespace) -> None:
    from . import speed

    write(
        "decoding-speed",
        "Inside one process: the harness against generate in fixed batches in the file's order",
        [row for work in speed.works() for row in speed.measure(work, arguments.rounds)],
        command="python -m benchmarks.decoding speed",
        method=f"CPU seconds, one thread, medians of {arguments.rounds} rounds taken in turns after one that "
        "warms up. Mixed answers come from random weights whose end of text was made likelier. Contrastive "
        "search is no longer part of transformers, so it stands beside greedy generate.",
        packages=PACKAGES,
    )


def measure_precision(arguments: argparse.Namespace) -> None:
    from . import speed

    write(
        "decoding-precision",
        "Answers that change when requests are decoded together instead of alone",
        [row for work in speed.works() if not work.settings for row in speed.differing(work)],
        command=COMMAND,
        method="Greedy decoding; the texts of a run with --deterministic against those of the default. "
        "The weights are random, and their likeliest tokens closer together than a trained model's.",
        packages=PACKAGES,
    )


def measure_caches(arguments: argparse.Namespace) -> None:
    from . import caches

    write(
        "decoding-caches",
        "The harness against static caches and continuous batching of transformers",
        [row for work in caches.works() for row in caches.measure(work, arguments.rounds)],
        command=COMMAND,
        method=f"Greedy decoding, medians of {arguments.rounds} rounds after one that warms up; generate in "
        f"batches of {caches.BATCH} in the file's order. On a GPU a Llama of a billion parameters in bf16, "
        "which transformers compiles for its static cache; on a CPU the tiny one.",
        packages=PACKAGES,
    )


def measure_commits(arguments: argparse.Namespace) -> None:
    from . import commits

    if arguments.before is None:
        return
    write(
        "decoding-commits",
        "This commit against an earlier one",
        commits.rows(arguments.before.resolve(), ROOT, arguments.rounds),
        command="python -m benchmarks.decoding commits --before FOLDER",
        method=f"CPU seconds of the harness with automatic batches, one thread. A process of each checkout "
        f"in turns, {arguments.rounds} times; in each the median of {commits.REPEATS} repeats after one "
        "that warms up. The ratio is the median of the rounds' own. "
        f"before: {commits.subject(arguments.before)}.",
        packages=PACKAGES,
    )


PARTS = {
    "process": measure_processes,
    "speed": measure_speed,
    "precision": measure_precision,
    "caches": measure_caches,
    "commits": measure_commits,
}


def whole_processes(lm_eval: str | None, rounds: int) -> list[dict[str, Any]]:
    """Measure every contestant as a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-c", WRITE, str(folder)], check=True, cwd=ROOT, capture_output=True)
        commands = {
            kind: [sys.executable, "-m", "benchmarks.decoding.contestant", kind, str(folder)]
            for kind in ("floor", "harness.decoding")
        }
        commands["run-bench"] = run_bench_command(folder)
        if lm_eval:
            commands |= {f"lm-eval, {size}": lm_eval_command(lm_eval, folder, size) for size in SIZES}
        taken: dict[str, list[tuple[float, float]]] = {kind: [] for kind in commands}
        inside: dict[str, list[dict[str, Any]]] = {kind: [] for kind in commands}
        for _ in range(rounds):  # in turns, so that a busy moment hits all alike
            for kind, arguments in commands.items():
                cost, output = process(arguments, folder)
                taken[kind].append(cost)
                inside[kind].append(facts(output))
    floor = taken["floor"], inside["floor"][0]
    table = [process_row(kind, taken[kind], inside[kind], *floor) for kind in commands]
    return table if lm_eval else [*table, dict.fromkeys(table[0], "not measured") | {"process": "lm-eval"}]


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
    base: list[tuple[float, float]],
    floor: dict[str, Any],
) -> dict[str, Any]:
    def median(name: str) -> Any:
        return round(statistics.median(found[name] for found in inside), 3) if name in inside[0] else "-"

    ratios = [seconds / least for (seconds, _), (least, _) in zip(taken, base, strict=True)]
    same = [a == b for a, b in zip(inside[0].get("texts", ()), floor["texts"], strict=False)]
    return {
        "process": kind,
        "CPU s": round(statistics.median(seconds for seconds, _ in taken), 2),
        "times the floor": round(statistics.median(ratios), 2),
        "peak MiB": round(statistics.median(memory for _, memory in taken)),
        "choices CPU s": median("choices_seconds"),
        "answers CPU s": median("generate_seconds"),
        "accuracy": inside[0]["accuracy"],
        "same answers as floor": f"{sum(same)} of {len(same)}" if same else "-",
    }


def process(arguments: list[str], folder: Path) -> tuple[tuple[float, float], str]:
    """Run a command, and return its CPU seconds, its peak memory in MiB and what it printed."""
    shutil.rmtree(folder / "runs", ignore_errors=True)  # or run-bench would show what it has
    path, complaints = folder / "output", folder / "complaints"
    environment = os.environ | QUIET | {"HF_HOME": str(folder / "hf"), "HF_DATASETS_OFFLINE": "1"}
    with path.open("w", encoding="utf-8") as out, complaints.open("w", encoding="utf-8") as err:
        started = subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=out, stderr=err)
        _, status, usage = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        said = complaints.read_text(encoding="utf-8")[-500:]
        sys.exit(f"{' '.join(arguments)} ended with {started.returncode}: {said}")
    return (usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), path.read_text(encoding="utf-8")


def facts(output: str) -> dict[str, Any]:
    """Read what a contestant says of itself; lm-eval prints a table."""
    if output.startswith("{"):
        found: dict[str, Any] = json.loads(output)
        return found if "texts" in found else run_bench_facts(found)
    for line in output.splitlines():
        if line.startswith("|bench_choices"):
            return {"accuracy": float(line.split("|")[7])}
    sys.exit(f"no result in: {output[-500:]}")


def run_bench_facts(shown: dict[str, Any]) -> dict[str, Any]:
    """Read the accuracy and the answers of the command's two runs."""
    chosen, written = shown["runs"]
    answers = {row["request_id"]: row["text"] for row in rows(Path(written["directory"]) / COMPLETIONS)}
    texts = [answers[str(place)] for place in range(len(answers))]
    return {"accuracy": chosen["scores"]["exact-match"]["value"], "texts": texts}


def run_bench_command(folder: Path) -> list[str]:
    return [
        *(sys.executable, "run_bench.py", "--plugin", "benchmarks/decoding/plugin.py", "--json", "--quiet"),
        *("--model", "bench-llama", "--task", "bench-choices,bench-prompts", "--no-train"),
        *("--checkpoint", str(folder / "model"), "--data", str(folder), "--output", str(folder / "runs")),
        *("--set", f"generate.max_new_tokens={NEW_TOKENS}"),
    ]


def lm_eval_command(python: str, folder: Path, size: int) -> list[str]:
    return [
        *(python, "-m", "lm_eval", "run", "--model", "hf"),
        *("--model_args", f"pretrained={folder / 'model'},dtype=float32"),
        *("--tasks", "bench_choices", "bench_prompts", "--include_path", str(folder / "tasks")),
        *("--batch_size", str(size), "--device", "cpu"),
    ]


def lm_eval_version(python: str | None) -> str:
    if python is None:
        return "not measured"
    done = subprocess.run([python, "-c", VERSIONS], check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
