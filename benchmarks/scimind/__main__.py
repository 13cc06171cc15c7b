"""SciMind's tiny preset: what it reaches over seeds, and what its optimizer contributes.

    python -m benchmarks.scimind seeds           three seeds on the test split, each scored once
    python -m benchmarks.scimind optimizers      AdamW and Muon over learning rates, at equal time

`seeds` runs the command that users run. `optimizers` compares the loss on the validation split, which the
preset selects by, after short trainings: AdamW gets as many more steps as it takes them faster.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

from benchmarks import report

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (0, 1, 2)
SHOWN = ("molecule-exact", "validity", "morgan", "maccs", "rdk", "bleu-2", "bleu-4", "rouge-l", "meteor")
RATES = (1e-3, 2e-3, 4e-3, 8e-3)
MUON_STEPS = 500
PROBE_STEPS, PROBES = 60, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("seeds", "optimizers"))
    parser.add_argument("--output", type=Path, help="keep the runs of seeds here")
    args = parser.parse_args()
    if args.part == "optimizers":
        optimizers()
    elif args.output is not None:
        seeds(args.output)
    else:
        with tempfile.TemporaryDirectory() as folder:
            seeds(Path(folder))


def seeds(folder: Path) -> None:
    rows = []
    for seed in SEEDS:
        output = folder / f"seed-{seed}"
        before, start = cpu_of_children(), time.perf_counter()
        run_bench("--task", "lpm24", "--seed", str(seed), "--output", str(output))
        row: dict[str, Any] = {"seed": seed}
        row |= {name: 100 * value for name, value in scores(output) if name in SHOWN}
        row |= {"wall s": time.perf_counter() - start, "CPU s": cpu_of_children() - before}
        rows.append(row)
    columns = [name for name in rows[0] if name != "seed"]
    for label, reduce in (("mean", mean), ("spread", pstdev)):
        rows.append(
            {"seed": label, **{name: reduce([row[name] for row in rows[: len(SEEDS)]]) for name in columns}}
        )
    report.write(
        "scimind_tiny",
        "SciMind's tiny preset on the built-in sample of lpm24",
        rows,
        command="python -m benchmarks.scimind seeds",
        method=(
            "One model for both directions, from nothing, on synthetic rows; the whole command, baselines "
            "and scoring included. Selected by validation loss, the test split scored once a seed. "
            "Spread is the standard deviation over the seeds. Wall time counts only on a free machine."
        ),
        packages=("torch", "transformers", "rdkit"),
    )


def optimizers() -> None:
    speed = probe("muon", "adamw")
    steps = {"muon": MUON_STEPS, "adamw": round(MUON_STEPS * speed["adamw"] / speed["muon"])}
    rows = []
    for name in ("adamw", "muon"):
        for rate in RATES:
            log = train(name, rate, steps[name])
            losses = [row["validation"]["loss"] for row in log if "validation" in row]
            rows.append(
                {
                    "optimizer": name,
                    "learning rate": rate,
                    "steps": steps[name],
                    "validation loss": losses[-1],
                }
            )
    report.write(
        "optimizers",
        "AdamW and Muon from nothing, at equal time",
        rows,
        command="python -m benchmarks.scimind optimizers",
        method=(
            "The tiny preset cut short, one seed, each optimizer with a whole linear schedule at each rate. "
            "With Muon, embeddings keep AdamW at 3e-3. AdamW has more steps by the ratio of the tokens a "
            f"second, the best of {PROBES} trainings of {PROBE_STEPS} steps in turns before."
        ),
        packages=("torch", "transformers"),
    )


def probe(*optimizers: str) -> dict[str, float]:
    """Return the tokens a second that each optimizer trains on when nothing holds it up."""
    best = dict.fromkeys(optimizers, 0.0)
    for _ in range(PROBES):
        for name in optimizers:
            rates = [row["tokens_per_second"] for row in train(name, 4e-3, PROBE_STEPS) if "loss" in row]
            best[name] = max(best[name], rates[-1])
    return best


def train(optimizer: str, rate: float, steps: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "optimizer": optimizer,
            "learning_rate": rate,
            "eval_every": steps,
            "save_every": steps,
            "options.rest_learning_rate": 3e-3 if optimizer == "muon" else rate,
        }
        sets = [part for name, value in settings.items() for part in ("--set", f"train.{name}={value}")]
        run_bench("train", "--task", "lpm24", "--max-steps", str(steps), *sets, "--output", folder)
        [path] = Path(folder).rglob("train_log.jsonl")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run_bench(*arguments: str) -> None:
    verb = ["train"] if arguments[0] == "train" else []
    rest = arguments[len(verb) :]
    command = [sys.executable, str(ROOT / "run_bench.py"), *verb, "--model", "scimind", *rest, "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)


def scores(output: Path) -> Iterator[tuple[str, float]]:
    for path in output.glob("lpm24/*/scimind/*/record.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        yield from ((name, score["value"]) for name, score in record["scores"].items())


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
