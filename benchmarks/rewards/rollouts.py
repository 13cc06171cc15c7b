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
from benchmarks.rewards import recipes
from benchmarks.rewards.program import said

PROMPTS = 64


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rewards.rollouts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--start", type=Path, required=True, metavar="DIR", help="a training to go on from")
    parser.add_argument("--model", default="scimind")
    parser.add_argument("--task", choices=recipes.GROUNDS, default="lpm24/text2smiles")
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
            f"{PROMPTS} prompts x {recipes.SAMPLES} answers a step, a tenth of supervised loss, from a tiny "
            "model that was trained to its end; seconds of the main process on a machine that others used "
            "too, so that their shares say more than they do. `different` is how many of these answers are "
            "not equal."
        ),
        packages=("torch", "transformers"),
    )


def row_of(args: argparse.Namespace, processes: str) -> dict[str, Any]:
    """Take a few steps, and return what they took."""
    told = {
        **recipes.STAGES["grpo"],
        "train.base": args.start / "checkpoint",
        "train.reward": recipes.as_reward(recipes.GROUNDS[args.task].reward),
        "train.options.prompts": PROMPTS,
        "train.max_steps": args.steps,
    }
    (run,) = said(
        "train",
        *("--model", args.model, "--task", args.task, "--stage", "grpo", *recipes.given(told)),
        *("--processes", processes),
        *("--output", args.output / processes, "--no-compare", "--quiet", "--json"),
    )["runs"]
    folder = Path(run["directory"])
    spent = json.loads((folder / "state" / "done.json").read_text(encoding="utf-8"))
    parts = {part: spent[f"{part}_seconds"] for part in ("sampling", "scoring", "learning")}
    log = map(json.loads, (folder / "train_log.jsonl").read_text(encoding="utf-8").splitlines())
    rollouts = [line["rollout"] for line in log if "rollout" in line]
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
