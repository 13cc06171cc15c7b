"""What a stage after supervised fine-tuning brings, beside as much time of supervised fine-tuning.

    python -m benchmarks.rewards STAGE --set train.options.NAME=VALUE

For each seed the start is learned from nothing by the model's preset. From it one training goes on with
STAGE and others go on with `sft` for the same seconds, one for each learning rate; which of them is the
control is chosen on validation. Start, control and stage are then scored on the test split, each once, and
the stage is compared with the other two on the same rows. The same requests asked several times say whether
the answers have become fewer.

Rows are kept under --output, and a command that was stopped goes on where it was; the table is written again
after each seed. As a check of the comparison itself, `sft` may be the STAGE.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import report

ROOT = Path(__file__).resolve().parents[2]
RATES = (4e-3, 1e-3)  # of the control: the preset's own, and a fourth of it
REPEATS = 8


def main() -> None:
    args = arguments()
    rows: list[dict[str, Any]] = []
    for seed in args.seeds.split(","):
        rows += seed_rows(args, Path(args.output) / args.stage / f"seed-{seed}", seed)
        write(args, rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rewards",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", help="the stage that goes on from the start, such as dpo")
    parser.add_argument("--model", default="scimind", help="what learns (default: %(default)s)")
    parser.add_argument(
        "--task", default="design", help="task or group that is learned (default: %(default)s)"
    )
    parser.add_argument(
        "--metric", default="all-met", help="what is chosen and compared by (default: %(default)s)"
    )
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the learning (default: %(default)s)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the stage"
    )
    parser.add_argument(
        "--every", action="append", default=[], metavar="KEY=VALUE", help="a setting of all trainings"
    )
    parser.add_argument("--limit", type=int, help="score only the first rows, to try the command")
    parser.add_argument("--output", default="runs/rewards", help="where runs are kept (default: %(default)s)")
    return parser.parse_args()


def seed_rows(args: argparse.Namespace, output: Path, seed: str) -> list[dict[str, Any]]:
    """Train the start, the stage and the controls of a seed; score each on test and compare."""

    def train(way: str, *options: object) -> Path:
        settings = [part for setting in args.every for part in ("--set", setting)]
        return bench(args, "train", output / way, "--seed", seed, *settings, *options)[0]

    start = train("start")
    base = start / "checkpoint"
    given = [part for setting in args.set for part in ("--set", setting)]
    treated = train(args.stage, "--stage", args.stage, "--set", f"train.base={base}", *given)
    steps = max(1, round(facts(treated)["seconds"] / facts(start)["seconds"] * facts(start)["step"]))
    controls = [
        train(
            f"control-{rate:g}",
            *("--set", f"train.base={base}", "--set", f"train.learning_rate={rate}"),
            *("--max-steps", steps, "--set", f"train.eval_every={steps}"),
        )
        for rate in RATES
    ]

    def scored(folder: Path, split: str, *options: object) -> list[Path]:
        name = f"{folder.parent.parent.parent.name}-{split}{'-sampled' if options else ''}"
        given = ["--no-train", "--checkpoint", folder, "--split", split, "--seed", seed]
        given += ["--limit", args.limit] if args.limit else []
        return bench(args, "run", output / "scored" / name, *given, *options)

    control = max(controls, key=lambda folder: value(scored(folder, "validation"), args.metric))
    sampling = ("--set", "generate.decoder=sampling", "--set", f"task.repeats={REPEATS}")
    ways = {"start": start, "control": control, args.stage: treated}
    runs = {way: scored(folder, "test") for way, folder in ways.items()}
    sampled = {
        way: scored(folder, "test", *sampling, "--metrics", f"{args.metric},met-once,distinct-answers")
        for way, folder in ways.items()
    }
    return list(table_rows(args, seed, ways, runs, sampled))


def table_rows(
    args: argparse.Namespace,
    seed: str,
    ways: dict[str, Path],
    runs: dict[str, list[Path]],
    sampled: dict[str, list[Path]],
) -> Iterator[dict[str, Any]]:
    for way, folder in ways.items():
        for place, run in enumerate(runs[way]):
            row: dict[str, Any] = {"task": record(run)["spec"]["task"], "seed": seed, "way": way}
            row["seconds"] = "" if way == "start" else f"{facts(folder)['seconds']:.0f}"
            for metric, score in record(run)["scores"].items():
                row[metric] = shown(score)
            for metric in ("met-once", "distinct-answers"):
                row[f"{metric} of {REPEATS}"] = shown(record(sampled[way][place])["scores"][metric])
            for other in ("start", "control"):
                against = runs[other][place]
                row[f"against {other}"] = difference(args.metric, run, against) if way == args.stage else ""
            yield row


def difference(metric: str, run: Path, other: Path) -> str:
    """Return by how many points two runs differ on the same rows, the interval, and the p-value."""
    command = ("compare", run, other, "--metric", metric, "--json")
    (found,) = json.loads(say(*command))["differences"]
    low, high = found["interval"]
    return f"{100 * found['difference']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] p {found['p_value']:.4f}"


def shown(score: dict[str, Any]) -> str:
    if score["value"] is None:
        return ""
    half = f" ± {50 * (score['interval'][1] - score['interval'][0]):.1f}" if score["interval"] else ""
    return f"{100 * score['value']:.1f}{half}"


def value(runs: Sequence[Path], metric: str) -> float:
    """Return the mean of a metric over the tasks of a group."""
    return sum(record(run)["scores"][metric]["value"] for run in runs) / len(runs)


def record(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "record.json").read_text(encoding="utf-8"))
    return found


def facts(training: Path) -> dict[str, Any]:
    """Return what a training wrote about itself: seconds and steps among others."""
    found: dict[str, Any] = json.loads((training / "checkpoint.json").read_text(encoding="utf-8"))
    return found


def bench(args: argparse.Namespace, verb: str, output: Path, *options: object) -> list[Path]:
    """Run the program for the task, and return the directories that it names."""
    given = (
        "--model",
        args.model,
        "--task",
        args.task,
        "--output",
        output,
        "--no-compare",
        "--quiet",
        "--json",
    )
    return [Path(run["directory"]) for run in json.loads(say(verb, *given, *options))["runs"]]


def say(*arguments: object) -> str:
    """Run the program and return what it prints; where it fails it has said why."""
    command = [sys.executable, str(ROOT / "run_bench.py"), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def write(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    settings = [f"--set {setting}" for setting in args.set] + [f"--every {setting}" for setting in args.every]
    command = [
        "python -m benchmarks.rewards",
        args.stage,
        f"--model {args.model} --task {args.task}",
        *settings,
    ]
    rates = " and ".join(map("{:g}".format, RATES))
    shortened = f" (the first {args.limit} rows)" if args.limit else ""
    report.write(
        f"rewards_{args.stage}_{args.task.replace('/', '_')}",
        f"{args.stage} after supervised fine-tuning, beside as much of it, on {args.task}",
        rows,
        command=" ".join(command),
        method=(
            f"Start: {args.model}'s preset. Control: more `sft` from the start for the seconds of "
            f"{args.stage}, the better of learning rates {rates} by {args.metric} on validation. Each row "
            f"was scored on the test split once{shortened}; ± is half the width of the 95 % bootstrap "
            f"interval, differences are of {args.metric} in points on the same rows, with their interval and "
            "p-value. A seed that is not in the table has not run."
        ),
        packages=("torch", "transformers", "rdkit"),
    )


if __name__ == "__main__":
    main()
