"""What a step of learning from scores is made of: `python -m benchmarks.rewards.rollouts --start DIR`.

From a model that can answer, a few steps of GRPO are taken by one process, or by several that share the
prompts and the step. Of the time of a step, sampling's share is what answers cost; answers that are equal
are one row where they are learned, answers that begin alike are one row as long as they do.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.rewards.__main__ import said

SETTINGS = {
    "train.optimizer": "adamw",
    "train.learning_rate": "1.5e-4",
    "train.weight_decay": "0",
    "train.schedule": "constant",
    "train.warmup_steps": "0",
    "train.batch_tokens": "4096",
    "train.eval_every": "none",
    "train.prompt_loss": "false",
    "train.options.prompts": "64",
    "train.options.samples": "8",
    "train.options.supervised": "0.1",
    "train.options.max_new_tokens": "64",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rewards.rollouts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--start", type=Path, required=True, metavar="DIR", help="a training to go on from")
    parser.add_argument("--model", default="scimind")
    parser.add_argument("--task", default="lpm24/text2smiles")
    parser.add_argument("--reward", default="{molecule-exact=1, morgan=1}")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--processes", default="1,2", help="numbers of processes (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/rollouts"))
    args = parser.parse_args()
    rows = [row_of(args, processes) for processes in args.processes.split(",")]
    report.write(
        "rewards_rollouts",
        f"What {args.steps} steps of GRPO are made of, on {args.task}",
        rows,
        command=f"python -m benchmarks.rewards.rollouts --start DIR --processes {args.processes}",
        method=(
            "64 prompts x 8 answers a step, a tenth of supervised loss, from a tiny model that was trained "
            "to its end; seconds of the main process on a machine that others used too, so that their shares "
            "say more than they do. `different` is how many of the 512 answers of a step are not equal."
        ),
        packages=("torch", "transformers"),
    )


def row_of(args: argparse.Namespace, processes: str) -> dict[str, Any]:
    """Take a few steps, and return what they took."""
    given = [part for name, value in SETTINGS.items() for part in ("--set", f"{name}={value}")]
    (run,) = said(
        "train",
        *(
            "--model",
            args.model,
            "--task",
            args.task,
            "--stage",
            "grpo",
            "--set",
            f"train.base={args.start / 'checkpoint'}",
        ),
        *(
            "--set",
            f"train.reward={args.reward}",
            "--max-steps",
            args.steps,
            "--processes",
            processes,
            *given,
        ),
        *("--output", args.output / processes, "--no-compare", "--quiet", "--json"),
    )["runs"]
    folder = Path(run["directory"])
    spent = json.loads((folder / "state" / "done.json").read_text(encoding="utf-8"))
    parts = {part: spent[f"{part}_seconds"] for part in ("sampling", "scoring", "learning")}
    told = [
        json.loads(line) for line in (folder / "train_log.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    rollouts = [line["rollout"] for line in told if "rollout" in line]
    return {
        "processes": processes,
        **{f"{part}, s": round(seconds, 1) for part, seconds in parts.items()},
        "sampling's share": f"{parts['sampling'] / sum(parts.values()):.0%}",
        "CPU, s": spent["cpu_seconds"],
        "different": round(sum(one["different_answers"] for one in rollouts) / len(rollouts)),
        "told apart": f"{sum(one['told_apart'] for one in rollouts) / len(rollouts):.0%}",
    }


if __name__ == "__main__":
    main()
