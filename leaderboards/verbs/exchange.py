"""`leaderboard export` and `leaderboard import`: results in the forms of others, and theirs on a board."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness import UsageError, Workbench, nearest
from harness.files.writing import write

from ..board.build import build, hand_in
from ..board.store import Store
from ..exchange import eee, hub_results, incoming
from ..exchange.standing import Standing, standing
from ..intake.tasks import Tasks
from ..plain import canonical, slug

EEE, HUB = "eee", "hf-eval-results"
FOLDER = "exported"


def add_exchange_arguments(parser: ArgumentParser) -> None:
    """Say what goes with results that travel."""
    group = parser.add_argument_group("results that travel")
    group.add_argument("--organisation", default="", metavar="NAME", help="who evaluated, for --format eee")
    group.add_argument(
        "--developer", default="", metavar="NAME", help="who made the models that are exported"
    )
    group.add_argument(
        "--with-rows", action="store_true", help="export the questions and references too, where you may"
    )
    group.add_argument(
        "--dataset",
        default="",
        metavar="OWNER/NAME[:TASK][@REVISION]",
        help="the Hub's name of the data, for --format hf-eval-results",
    )
    group.add_argument("--metric", default="", metavar="NAME", help="the one number of hf-eval-results")
    group.add_argument(
        "--reported", action="store_true", help="import numbers as printed elsewhere: grey and unranked"
    )


def export(args: Namespace, store: Store, bench: Workbench) -> None:
    """Write rows of a board in a form of others."""
    if args.format not in (EEE, HUB):
        close = nearest(args.format, (EEE, HUB))
        raise UsageError(f"export writes --format {EEE} or --format {HUB}", hint=close)
    tables = build(store, tasks=bench.expand(args.task))
    rows = list(standing(store, tables, list(map(str, args.paths))))
    if not rows:
        raise UsageError(f"{store.root} has no row to export", hint="run-bench leaderboard builds tables")
    folder = args.output or Path(FOLDER)
    if args.format == HUB:
        for path in hub_results.export(rows, args.dataset, args.metric, folder):
            bench.write(f"written: {path}\n")
        return
    _export_evaluations(args, store, rows, folder, bench)


def _export_evaluations(
    args: Namespace, store: Store, rows: Sequence[Standing], folder: Path, bench: Workbench
) -> None:
    if not args.organisation:
        raise UsageError("Every Eval Ever asks who evaluated", hint="--organisation NAME")
    terms = eee.Terms(args.organisation, args.developer, args.with_rows)
    tasks = Tasks(bench, args.data, vocab=args.vocab)
    for done in eee.export(rows, store, tasks, terms, folder, datetime.now(UTC)):
        bench.write(f"written: {done.path}, {done.note or f'{done.samples:,} lines of answers beside it'}\n")


def take_in(args: Namespace, store: Store, bench: Workbench) -> None:
    """Take in what others exported: answers are scored here, numbers are kept as reported."""
    if not args.paths:
        raise UsageError("nothing to import", hint="run-bench leaderboard import FILE.json --board DIR")
    tasks = Tasks(bench, args.data, vocab=args.vocab)
    for path in [file for each in args.paths for file in incoming.find(each)]:
        found = incoming.read(path)
        answers = None if args.reported else incoming.answers_of(found)
        if answers is None:
            _keep_reported(args, store, found, bench)
            continue
        made = incoming.submission(found, answers, args.task, args.split, args.name)
        with store.alone():
            added = hand_in(store, str(path), made, tasks)
        bench.write(f"added {made.name} to {made.task}: {added.folder}\n")
        for note in added.notes:
            bench.write(f"note: {note}\n")


def _keep_reported(args: Namespace, store: Store, found: incoming.Evaluation, bench: Workbench) -> None:
    task = args.task or found.told("task")
    versions = {name: entry.version for name, entry in bench.metrics(task).items()}
    kept = incoming.reported(found, args.task, args.split, versions)
    (row,) = kept["rows"]
    bench.task(row["task"])  # refuses a task that there is not
    path = store.root / "reported" / f"eee-{slug(row['task'])}-{slug(found.model)}-{found.digest[:8]}.json"
    with store.alone():
        write(path, canonical(kept))
    bench.write(f"reported: {row['name']} on {row['task']}, {len(row['scores'])} numbers: {path}\n")
    if not any(card["task"] == row["task"] and not card["sample"] for card in store.cards()):
        bench.write(
            f"note: they are shown once {store.root} has a table of {row['task']} on its published data\n"
        )
