"""What a stage after supervised fine-tuning brings, beside as much time of supervised fine-tuning.

    python -m benchmarks.rewards grpo
    python -m benchmarks.rewards dpo --task lpm24/text2smiles --seeds 0

For each seed the start is learned from nothing by the model's preset, or is the checkpoint that --start
names. From it one training goes on with STAGE, told what `recipes.py` has for it, and others go on with
`sft` for as many CPU seconds, one for each of --rates; which rate is the control's is chosen on validation,
with the first seed. Start, control and stage are then scored on the test split, each once, and the stage is
compared with the other two on the same rows. Validation requests asked several times say whether the answers
have become fewer: a stage that gives fewer than nine tenths of the start's distinct answers has not won,
whatever it scores. `dpo` learns from preferences among the start's own answers to training requests.

`--data fresh:SEED` makes requests of `design/constraints` that nobody has looked at. Rows are kept under
--output, a command that was stopped goes on where it was, and the table is written again after each seed.
As a check of the comparison itself, `sft` may be the STAGE.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.rewards import recipes
from benchmarks.rewards.fresh import write_requests
from benchmarks.rewards.program import said
from benchmarks.rewards.recipes import SAMPLES, given
from benchmarks.rewards.table import KEPT, Way, cost, scores, table_rows

ASKED_AGAIN = 60  # validation requests that are asked SAMPLES times
TIMED = 30  # steps that say how long one of the control takes
PREFERRED = 400  # training requests that preferences are made of
FRESH = "fresh:"
SIZES = {"train": 6000, "validation": 600, "test": 2400}  # of fresh requests
LOOKS = 4  # how often a control looks at validation rows
AGAIN = (
    *("--split", "validation", "--limit", ASKED_AGAIN * SAMPLES, "--set", f"task.repeats={SAMPLES}"),
    *("--set", "generate.decoder=sampling", "--metrics", "met-once,distinct-answers"),
)


def main() -> None:
    args = arguments()
    if args.data.startswith(FRESH):
        seed = int(args.data.removeprefix(FRESH))
        args.source = str(write_requests(args.output / f"requests-{seed}", seed, **SIZES))
    rows: list[dict[str, Any]] = []
    rates = args.rates
    for seed in args.seeds.split(","):
        found, rate = Seed(args, seed).rows(rates)
        rows += found
        rates = [rate]
        write(args, rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rewards",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "stage", choices=[*recipes.STAGES, "sft"], metavar="STAGE", help="what goes on from the start"
    )
    parser.add_argument("--model", default="scimind", help="what learns (default: %(default)s)")
    parser.add_argument(
        "--task", choices=recipes.GROUNDS, default="design/constraints", help="(default: %(default)s)"
    )
    parser.add_argument("--data", help="its data, or fresh:SEED (default: what recipes.py has for the task)")
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the learning (default: %(default)s)")
    parser.add_argument("--start", type=Path, metavar="DIR", help="begin here instead of learning a start")
    parser.add_argument(
        "--rates", default="1e-3,1.5e-4", help="learning rates of the control (default: %(default)s)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the stage"
    )
    parser.add_argument("--name", default="", help="what the results are called (default: stage and task)")
    parser.add_argument("--output", type=Path, default=Path("runs/rewards"), help="where runs are kept")
    args = parser.parse_args()
    args.command = command(sys.argv[1:])
    args.rates = args.rates.split(",")
    args.name = args.name or f"{args.stage}_{args.task.replace('/', '_')}"
    args.ground = recipes.GROUNDS[args.task]
    args.source = args.data = args.data or args.ground.data
    return args


def command(typed: Sequence[str]) -> str:
    """Return what was typed, without the places of this machine."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--output")
    parser.add_argument("--start")
    places, rest = parser.parse_known_args(typed)
    start = ["--start", "DIR"] if places.start else []
    return shlex.join(["python", "-m", "benchmarks.rewards", *rest, *start])


class Seed:
    """All that is learned and asked with one seed."""

    def __init__(self, args: argparse.Namespace, seed: str) -> None:
        self.args = args
        self.seed = seed
        self.output = args.output / args.name / f"seed-{seed}"
        self.start = args.start or self.train("start", {})

    def rows(self, rates: list[str]) -> tuple[list[dict[str, Any]], str]:
        """Let the stage and the controls go on from the start, score each on test, and compare."""
        stage = self.args.stage
        pairs, sampling = self.preferences() if stage == "dpo" else (None, 0.0)
        treated = self.treated(pairs)
        rate, control = self.control(rates, sampling + cost(treated)["cpu_seconds"])
        trainings = {"start": self.start, "control": control, stage: treated}
        ways = [Way(name, place, self.scored(place, f"{name}-test")) for name, place in trainings.items()]
        again = ways if self.args.task.startswith("design") else []
        sampled = {way.name: self.scored(way.training, f"{way.name}-sampled", *AGAIN) for way in again}
        return list(table_rows(self.args.ground.metric, self.seed, ways, sampled, sampling)), rate

    def treated(self, pairs: Path | None) -> Path:
        """Return the training of the stage, told what the recipe and the command say."""
        told = dict(recipes.STAGES.get(self.args.stage, {}))
        if self.args.stage == "grpo":
            told["train.reward"] = recipes.as_reward(self.args.ground.reward)
        data = {"task": "preferences", "data": pairs} if pairs else {}
        return self.train(self.args.stage, self.begun | told, *settings(self.args.set), **data)

    def control(self, rates: list[str], seconds: float) -> tuple[str, Path]:
        """Return the rate and the training of as much supervised fine-tuning: the best on validation."""
        timed = cost(self.train("timed", self.begun | recipes.control(rates[0], TIMED, looks=0)))
        steps = max(1, round(seconds / timed["cpu_seconds"] * TIMED))
        found = {
            rate: self.train(f"control-{rate}", self.begun | recipes.control(rate, steps, looks=LOOKS))
            for rate in rates
        }
        if len(rates) == 1:
            return next(iter(found.items()))
        return max(found.items(), key=lambda control: self.on_validation(*control))

    def on_validation(self, rate: str, training: Path) -> float:
        """Score a control by the metric that is compared, on validation rows."""
        run = self.scored(training, f"control-{rate}-validation", "--split", "validation")
        return float(scores(run)[self.args.ground.metric]["value"])

    def preferences(self) -> tuple[Path, float]:
        """Return preferences among answers to training requests, and the CPU seconds that answering took."""
        file, facts = self.output / "preferences.jsonl", self.output / "preferences.json"
        if not facts.exists():
            began = time.process_time()
            several = ("--split", "train", "--limit", PREFERRED, *given(recipes.ANSWERS))
            answers = self.asked("generate", self.start, "answers", *several)
            spent = time.process_time() - began
            weights = ",".join(f"{name}={weight:g}" for name, weight in self.args.ground.reward.items())
            said("data", "preferences", answers, "--metric", weights, "--output", file, "--json")
            facts.write_text(json.dumps({"cpu_seconds": spent}), encoding="utf-8")
        return file, float(json.loads(facts.read_text(encoding="utf-8"))["cpu_seconds"])

    @property
    def begun(self) -> dict[str, object]:
        """The setting that goes on from the start."""
        return {"train.base": self.start / "checkpoint"}

    def train(self, way: str, told: recipes.Settings, *more: str, **data: object) -> Path:
        """Train and return the training's folder; without a word of the stage it is supervised."""
        rows = {"task": self.args.task, "data": self.args.source} | data
        stage = ("--stage", way) if way in recipes.STAGES else ()
        return self.bench("train", way, rows, *stage, *given(told), *more)

    def scored(self, training: Path, name: str, *options: object) -> Path:
        """Return the run of a training's answers and their scores."""
        return self.asked("run", training, f"scored/{name}", "--no-train", "--other-prompt", *options)

    def asked(self, verb: str, training: Path, name: str, *options: object) -> Path:
        """Return the run of a training's answers."""
        rows = {"task": self.args.task, "data": self.args.source}
        return self.bench(verb, name, rows, "--checkpoint", training, *options)

    def bench(self, verb: str, name: str, rows: Mapping[str, object], *options: object) -> Path:
        """Run the program for the model and the seed, and return the directory that it names."""
        where = {"model": self.args.model, "output": self.output / name, "seed": self.seed, **rows}
        flags = [part for flag, value in where.items() for part in (f"--{flag}", value)]
        (run,) = said(verb, *flags, "--no-compare", "--quiet", "--json", *options)["runs"]
        return Path(run["directory"])


def settings(given: list[str]) -> list[str]:
    return [part for setting in given for part in ("--set", setting)]


def write(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    report.write(
        f"rewards_{args.name}",
        f"{args.stage} after supervised fine-tuning, beside as much of it, on {args.task}",
        rows,
        command=args.command,
        method=method(args),
        packages=("torch", "transformers", "rdkit"),
    )


def method(args: argparse.Namespace) -> str:
    """Say how the rows came to be."""
    metric, rates = args.ground.metric, ", ".join(args.rates)
    rate = rates
    if len(args.rates) > 1:
        rate = f"one of {rates} (the best by {metric} on validation, chosen with the first seed)"
    told = [
        f"Control: more `sft` from the start for as many CPU seconds as {args.stage}, AdamW at a rate that "
        f"falls from {rate}, at its step of the least validation loss out of {LOOKS}.",
        "Each row was scored on the test split once; ± is half the width of the 95 % bootstrap interval, "
        f"differences are of {metric} in points on the same rows, with their interval and p-value. It "
        "wins where its interval lies above both others'.",
    ]
    if args.task.startswith("design"):
        told.append(
            f"Of {ASKED_AGAIN} validation requests asked {SAMPLES} times it also has to give {KEPT:.0%} of "
            "the start's distinct answers."
        )
    told.append(
        "`rollouts` is sampling's share of the time of a step. A seed that is not in the table has not run."
    )
    return " ".join(told)


if __name__ == "__main__":
    main()
