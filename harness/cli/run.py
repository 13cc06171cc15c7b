"""`run`: the matrix of models and tasks, and the tables it ends with. Also `train` and `generate`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from harness.api.errors import StageError, UsageError
from harness.api.notice import notice_of
from harness.engine.matrix import plan
from harness.engine.prepared import Bench
from harness.engine.progress import choose_progress
from harness.engine.runner import Outcome, execute
from harness.engine.stage import go_offline

from .dry_run import print_plan
from .main import report
from .output import say, write, write_json
from .parser import add_verb
from .results import as_json, print_results
from .run_arguments import add_run_arguments, asked_for, open_registry


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    add_run_verb(
        subparsers,
        "run",
        "Fine-tune a model on a task, generate, score, and keep everything under runs/. "
        "The same command again continues where it stopped, or shows the finished result.",
        "run-bench --model toy --task toy",
        "run-bench run --model toy --task toys --seeds 0,1,2",
        "run-bench run --model ./my-model --task my-task.toml --no-train",
    )


def add_run_verb(subparsers: Any, verb: str, description: str, *examples: str) -> argparse.ArgumentParser:
    """Describe a verb that works on a matrix of models and tasks."""
    parser = add_verb(subparsers, verb, description, *examples)
    parser.set_defaults(verb=verb)
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--fresh", action="store_true", help="start over, beside what is there")
    again.add_argument("--resume", action="store_true", help="continue, and refuse to begin anything new")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would run, with the source of every value"
    )
    parser.add_argument(
        "--all", action="store_true", help="with --dry-run: also the settings at their defaults"
    )
    parser.add_argument("--no-compare", action="store_true", help="leave out the rows a recipe compares with")
    add_run_arguments(parser)
    return parser


def run(args: argparse.Namespace, then: Callable[[list[Outcome]], None] = lambda outcomes: None) -> int:
    """Plan, carry out, print; the exit code is that of the first failure."""
    asked = asked_for(args)
    if args.offline:
        go_offline()
    registry = open_registry(args, asked.plugins)
    cells = plan(registry, asked, compare=args.verb == "run" and not args.no_compare)
    bench = Bench(
        registry=registry,
        output=asked.output,
        progress=choose_progress(quiet=args.quiet or args.json),
        command=args.command,
        local_plugins=asked.plugins,
        excluded=tuple(args.no_plugin),
        offline=args.offline,
        fresh=args.fresh,
        resume=args.resume,
        other_prompt=args.other_prompt,
        vocab=args.vocab,
        ranks=args.ranks,
        until={"run": "score", "train": "train", "generate": "generate"}[args.verb],
    )
    if args.dry_run:
        return print_plan(bench, cells, as_json=args.json, everything=args.all)
    outcomes: list[Outcome] = []
    for outcome in execute(bench, cells):
        if outcome.error is not None and len(cells) > 1 and not args.json:
            _say_failure(outcome, outcomes)
        outcomes.append(outcome)
    then(outcomes)
    if args.json:
        write_json(as_json(outcomes))
    elif args.verb == "run" and (len(cells) > 1 or outcomes[0].error is None):
        print_results(outcomes, registry)
    else:
        _print_places(outcomes)
        if args.verb == "generate":
            _say_notices(outcomes)
    return _exit_code(outcomes, alone=len(cells) == 1)


def _say_failure(outcome: Outcome, before: list[Outcome]) -> None:
    """Say why a cell failed; a reason that others had too is said once."""
    assert outcome.error is not None
    known = {other.error.message for other in before if other.error is not None}
    same = " for the same reason" if outcome.error.message in known else ""
    say(f"{outcome.cell.spec.title} on {outcome.cell.spec.task} failed{same}, the rest goes on")
    if not same:
        report(outcome.error)


def _print_places(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        place = outcome.directory or outcome.trained
        if outcome.error is None and place is not None:
            write(f"{outcome.cell.spec.title} on {outcome.cell.spec.task}: {place}\n")


def _say_notices(outcomes: list[Outcome]) -> None:
    """Say what people are to know who read the answers."""
    cells = [outcome.cell for outcome in outcomes if outcome.error is None]
    told = ["\n".join(notice_of(cell.spec, cell.model.entry, cell.task.entry).values()) for cell in cells]
    for notice in filter(None, dict.fromkeys(told)):
        say(notice)


def _exit_code(outcomes: list[Outcome], *, alone: bool) -> int:
    for outcome in outcomes:
        if outcome.error is not None:
            if alone:
                raise outcome.error
            return outcome.error.exit_code
    for outcome in outcomes:
        if outcome.unsaved:
            raise StageError(
                f"the results above could not be saved: {outcome.unsaved}", hint="use another --output DIR"
            )
        scores = outcome.record.scores if outcome.record else {}
        for name, score in scores.items():
            if str(score["note"]).startswith("failed:"):
                raise StageError(f"metric '{name}' {score['note']}", hint="the other scores above stand")
    if not outcomes:
        raise UsageError("nothing to run")
    return 0
