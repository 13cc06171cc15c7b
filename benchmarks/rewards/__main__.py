"""What a stage after supervised fine-tuning brings, beside as much time of supervised fine-tuning.

    python -m benchmarks.rewards grpo --data fresh:2026 --set train.learning_rate=1.5e-4 --set …

For each seed the start is learned from nothing by the model's preset, or is the checkpoint that --start
names. From it one training goes on with STAGE, and others go on with `sft` for as many CPU seconds, one for
each of --rates; which rate is the control's is chosen on validation, with the first seed. Start, control and
stage are then scored on the test split, each once, and the stage is compared with the other two on the same
rows. Validation requests asked several times say whether the answers have become fewer: a stage that gives
fewer than nine tenths of the start's distinct answers has not won, whatever it scores.

`--data fresh:SEED` makes requests of `design/constraints` that nobody has looked at. Rows are kept under
--output, a command that was stopped goes on where it was, and the table is written again after each seed.
As a check of the comparison itself, `sft` may be the STAGE.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import report
from benchmarks.rewards.fresh import write_requests
from harness.cli.main import main as program

REPEATS = 8
ASKED_AGAIN = 60  # validation requests that are asked REPEATS times
KEPT = 0.9  # of the start's distinct answers
TIMED = 30  # steps that say how long one takes here, where the start was trained elsewhere
FRESH = "fresh:"
SIZES = {"train": 2000, "validation": 120, "test": 1200}  # of fresh requests


class Way(NamedTuple):
    """A way to learn: what it is called, the training, and what it was scored to be on the test split."""

    name: str
    training: Path
    run: Path


def main() -> None:
    args = arguments()
    if args.data.startswith(FRESH):
        seed = int(args.data.removeprefix(FRESH))
        args.source = str(write_requests(args.output / f"requests-{seed}", seed, **SIZES))
    rows: list[dict[str, Any]] = []
    rates = args.rates
    for seed in args.seeds.split(","):
        found, rate = seed_rows(args, args.output / args.name / f"seed-{seed}", seed, rates)
        rows += found
        rates = [rate]
        write(args, rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rewards",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", help="the stage that goes on from the start, such as grpo")
    parser.add_argument("--model", default="scimind", help="what learns (default: %(default)s)")
    parser.add_argument("--task", default="design/constraints", help="the task (default: %(default)s)")
    parser.add_argument("--data", default="sample", help="its data, or fresh:SEED (default: %(default)s)")
    parser.add_argument(
        "--metric", default="all-met-unseen", help="what is chosen and compared by (default: %(default)s)"
    )
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the learning (default: %(default)s)")
    parser.add_argument("--start", type=Path, metavar="DIR", help="begin here instead of learning a start")
    parser.add_argument(
        "--pairs", metavar="FILE", help="preferences that the stage learns from, in place of the task"
    )
    parser.add_argument(
        "--rates", default="4e-3,1e-3", help="learning rates of the control (default: %(default)s)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the stage"
    )
    parser.add_argument(
        "--every", action="append", default=[], metavar="KEY=VALUE", help="a setting of all trainings"
    )
    parser.add_argument("--name", default="", help="what the results are called (default: stage and task)")
    parser.add_argument("--output", type=Path, default=Path("runs/rewards"), help="where runs are kept")
    args = parser.parse_args()
    args.rates = args.rates.split(",")
    args.name = args.name or f"{args.stage}_{args.task.replace('/', '_')}"
    args.source = args.data
    return args


def seed_rows(
    args: argparse.Namespace, output: Path, seed: str, rates: list[str]
) -> tuple[list[dict[str, Any]], str]:
    """Train the start, the stage and the controls of a seed; score each on test and compare."""

    def train(way: str, *options: object, task: str = args.task, data: str = args.source) -> Path:
        given = ["--task", task, "--data", data, "--seed", seed]
        return bench(args, "train", output / way, *given, *settings(args.every), *options)

    def scored(training: Path, name: str, *options: object) -> Path:
        given = ["--task", args.task, "--data", args.source, "--seed", seed, "--other-prompt", *options]
        return bench(args, "run", output / "scored" / name, "--no-train", "--checkpoint", training, *given)

    def on_validation(training: Path, name: str) -> float:
        run = scored(training, f"{name}-validation", "--split", "validation")
        return float(scores(run)[args.metric]["value"])

    start = args.start or train("start")
    base = ("--set", f"train.base={start / 'checkpoint'}")
    pairs = {"task": "preferences", "data": args.pairs} if args.pairs else {}
    treated = train(args.stage, "--stage", args.stage, *base, *settings(args.set), **pairs)
    timed = cost(train("timed", *base, *settings([f"train.max_steps={TIMED}"])) if args.start else start)
    steps = max(1, round(cost(treated)["cpu_seconds"] / timed["cpu_seconds"] * timed["steps"]))
    controls = {rate: train(f"control-{rate}", *base, *control(rate, steps)) for rate in rates}
    rate = rates[0]
    if len(rates) > 1:
        rate = max(rates, key=lambda one: on_validation(controls[one], f"control-{one}"))
    trainings = {"start": start, "control": controls[rate], args.stage: treated}
    ways = [Way(name, training, scored(training, f"{name}-test")) for name, training in trainings.items()]
    again = [
        *("--split", "validation", "--limit", ASKED_AGAIN * REPEATS, "--set", f"task.repeats={REPEATS}"),
        *("--set", "generate.decoder=sampling", "--metrics", "met-once,distinct-answers"),
    ]
    designs = args.task.startswith("design")
    sampled = {way.name: scored(way.training, f"{way.name}-sampled", *again) for way in ways if designs}
    return list(table_rows(args, seed, ways, sampled)), rate


def control(rate: str, steps: int) -> list[str]:
    """Return the settings of as much supervised fine-tuning, looked at once, at its end.

    They follow those of --every, whose number of steps may be the start's.
    """
    return settings([f"train.learning_rate={rate}", f"train.max_steps={steps}", f"train.eval_every={steps}"])


def table_rows(
    args: argparse.Namespace, seed: str, ways: list[Way], sampled: dict[str, Path]
) -> Iterator[dict[str, Any]]:
    start, other, stage = ways
    for way in ways:
        spent = cost(way.training)
        row: dict[str, Any] = {"seed": seed, "way": way.name, "steps": spent["steps"]}
        row["CPU seconds"] = round(spent["cpu_seconds"]) if "cpu_seconds" in spent else ""
        for metric, score in scores(way.run).items():
            if score["higher_is_better"]:
                row[metric] = shown(score)
        for metric, score in scores(sampled[way.name]).items() if sampled else ():
            row[f"{metric} of {REPEATS}"] = shown(score)
        for name, against in (("start", start), ("control", other)):
            row[f"against {name}"] = difference(args.metric, way.run, against.run) if way is stage else ""
        row["wins"] = verdict(args.metric, ways, sampled) if way is stage else ""
        row["rollouts"] = ""
        if "sampling_seconds" in spent:
            working = ("sampling_seconds", "scoring_seconds", "learning_seconds")
            row["rollouts"] = f"{spent['sampling_seconds'] / sum(spent[part] for part in working):.0%}"
        yield row


def verdict(metric: str, ways: list[Way], sampled: dict[str, Path]) -> str:
    """Say whether the stage is above both others by more than both intervals, with answers as many."""
    stage = scores(ways[-1].run)[metric]
    for way in ways[:-1]:
        found = scores(way.run)[metric]
        if stage["interval"][0] <= found["interval"][1]:
            return f"no: its interval is not above that of {way.name}"
    if sampled:
        first, last = (scores(sampled[way.name])["distinct-answers"]["value"] for way in (ways[0], ways[-1]))
        if last < KEPT * first:
            return f"no: {last / first:.0%} of the start's distinct answers"
    return "yes"


def difference(metric: str, run: Path, other: Path) -> str:
    """Return by how many points two runs differ on the same rows, the interval, and the p-value."""
    (found,) = said("compare", run, other, "--metric", metric, "--json")["differences"]
    low, high = found["interval"]
    return f"{100 * found['difference']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] p {found['p_value']:.4f}"


def shown(score: dict[str, Any]) -> str:
    if score["value"] is None:
        return ""
    half = f" ± {50 * (score['interval'][1] - score['interval'][0]):.1f}" if score["interval"] else ""
    return f"{100 * score['value']:.1f}{half}"


def scores(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "record.json").read_text(encoding="utf-8"))["scores"]
    return found


def cost(training: Path) -> dict[str, Any]:
    """Return what a training wrote about itself: steps, and seconds of each part of its work."""
    found: dict[str, Any] = json.loads((training / "state" / "done.json").read_text(encoding="utf-8"))
    return found


def settings(given: list[str]) -> list[str]:
    return [part for setting in given for part in ("--set", setting)]


def bench(args: argparse.Namespace, verb: str, output: Path, *options: object) -> Path:
    """Run the program for the model, and return the directory that it names."""
    given = ("--model", args.model, "--output", output, "--no-compare", "--quiet", "--json")
    (run,) = said(verb, *given, *options)["runs"]
    return Path(run["directory"])


def said(*arguments: object) -> Any:
    """Run the program here, where its libraries are loaded, and return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = program(list(map(str, arguments)))
    if code:
        raise SystemExit(code)
    return json.loads(out.getvalue())


def write(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    named = ("model", "task", "data", "metric", "seeds")
    flags = [f"--{name} {getattr(args, name)}" for name in named] + [f"--rates {','.join(args.rates)}"]
    flags += ["--start DIR"] if args.start else []
    flags += ["--pairs FILE"] if args.pairs else []
    flags += [f"--set {one}" for one in args.set] + [f"--every {one}" for one in args.every]
    report.write(
        f"rewards_{args.name}",
        f"{args.stage} after supervised fine-tuning, beside as much of it, on {args.task}",
        rows,
        command=" ".join(["python -m benchmarks.rewards", args.stage, *flags]),
        method=method(args),
        packages=("torch", "transformers", "rdkit"),
    )


def method(args: argparse.Namespace) -> str:
    """Say how the rows came to be."""
    rates = ", ".join(args.rates)
    chosen = (
        f"with the one of {rates} that is best by {args.metric} on validation, chosen with the first seed"
    )
    told = [
        f"Control: more `sft` from the start for as many CPU seconds as {args.stage}, "
        + (f"at learning rate {rates}." if len(args.rates) == 1 else f"{chosen}."),
        "Each row was scored on the test split once; ± is half the width of the 95 % bootstrap interval, "
        f"differences are of {args.metric} in points on the same rows, with their interval and p-value. It "
        "wins where its interval lies above both others'.",
    ]
    if args.task.startswith("design"):
        told.append(
            f"Of {ASKED_AGAIN} validation requests asked {REPEATS} times it also has to give {KEPT:.0%} of "
            "the start's distinct answers."
        )
    told.append(
        "`rollouts` is sampling's share of the time of a step. A seed that is not in the table has not run."
    )
    return " ".join(told)


if __name__ == "__main__":
    main()
