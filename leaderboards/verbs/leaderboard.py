"""`leaderboard`: add answers to a board, build its tables and pages, verify every number, publish."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from pathlib import Path
from uuid import uuid4

from harness import DataError, UsageError, Verb, Workbench
from harness.files.writing import write

from ..board import history
from ..board.build import Foreign, Keeping, Refused, add, add_originals, add_runs, build, withdraw
from ..board.shapes import Tables
from ..board.store import PUBLISHED, Store
from ..intake.from_run import find_runs, from_run
from ..intake.submission import schema, write_submission
from ..intake.tasks import Tasks
from ..pages import forms
from ..pages.forms import write_forms
from ..pages.render import FORMATS, all_forms, terminal
from ..publish.places import as_text, publish
from ..publish.verify import verify
from .exchange import add_exchange_arguments, export, take_in
from .leaderboard_arguments import SHIPPED, add_answer_arguments, add_board_arguments

ACTIONS = {
    "build": "gather finished runs, build every table and the pages (what happens without an action)",
    "add": "score a submission (folder, zip, run, or bare answers) and keep it",
    "withdraw": "take a row out of its table, with --reason; its files stay",
    "pack": "make a submission of a run, to hand in elsewhere",
    "verify": "score every row anew; a difference above 1e-9 is an error",
    "history": "print the chain of what was built, and check it; with a number, write that entry's tables",
    "schema": "print the JSON Schema of submission.json",
    "export": "write rows in a form of others: --format eee or hf-eval-results",
    "import": "take in Every Eval Ever files: answers to be scored here, or numbers as reported",
    "workflow": "print a GitHub Action that verifies submissions on pull requests",
}
SHOWN = 5  # runs that an error names


class Leaderboard(Verb):
    """Tables from runs and submissions, with intervals, tests, health and pages."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the verb."""
        parser.description = "\n".join([self.__doc__ or "", "", *(f"  {n}: {t}" for n, t in ACTIONS.items())])
        parser.add_argument(
            "action", nargs="?", choices=ACTIONS, default="build", metavar="ACTION", help="what to do"
        )
        parser.add_argument(
            "paths",
            nargs="*",
            type=Path,
            metavar="PATH",
            help="what is added, imported, exported, withdrawn or packed; a number of history",
        )
        add_board_arguments(parser)
        add_answer_arguments(parser)
        add_exchange_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Do what was asked."""
        actions = {
            "build": _build, "add": _add, "withdraw": _withdraw, "pack": _pack,
            "verify": _verify, "history": _history, "schema": _schema, "workflow": _workflow,
            "export": _export, "import": _import,
        }  # fmt: skip
        actions[args.action](args, bench)
        return 0


def _store(args: Namespace) -> Store:
    """Return a board; `@published` is the one that comes with the program."""
    return Store(PUBLISHED if args.board == SHIPPED else Path(args.board))


def _refuse_shipped(args: Namespace) -> None:
    """Refuse to change the board that comes with the program."""
    if args.board == SHIPPED:
        raise UsageError(f"{SHIPPED} is only read", hint="name a board of your own: --board DIR")


def _no_paths(args: Namespace) -> None:
    if args.paths:
        raise UsageError(f"{args.action} takes no path, got {args.paths[0]}", hint="--board DIR")


def _build(args: Namespace, bench: Workbench) -> None:
    _no_paths(args)
    if args.runs is not None:
        _refuse_shipped(args)
    store, names = _store(args), bench.expand(args.task)
    shipped = args.board == SHIPPED
    write = partial(write_forms, forms=forms.named(args.format), ask=bench.render)
    runs = args.runs or Path("runs")
    if not runs.is_dir():
        store.check()
    with nullcontext() if shipped else store.alone():
        refused = [] if shipped else _take_runs(args, store, names, bench)
        tasks = None if shipped else _tasks(args, bench, runs)
        tables = build(store, tasks, names)
        if not tables:
            raise _nothing(store, args, refused)
        kept_aside = args.output is not None
        written = write(store, tables, folder=args.output or store.root) if kept_aside or not shipped else []
    if args.json:
        bench.write_json(tables)
        return
    for table in tables:
        bench.show(**terminal(table))
        bench.write("\n")
    for one in refused:
        bench.write(f"left out: {one.source}: {one.reason}\n")
    for path in written:
        bench.write(f"written: {path}\n")
    if args.publish:
        date = datetime.now(UTC).date().isoformat()

        def put(board: Store, built: Tables, folder: Path) -> None:
            write(board, built, folder=folder)

        bench.write(as_text(publish(store, args.publish, date, put, dry_run=args.dry_run)))


def _take_runs(args: Namespace, store: Store, names: Sequence[str], bench: Workbench) -> list[Refused]:
    """Add finished runs, where there are any or a folder of them is named; return what was left out."""
    runs = args.runs or Path("runs")
    if args.runs is None and not runs.is_dir():
        return []
    tasks = _tasks(args, bench, runs)
    done = add_runs(store, runs, tasks, names, bench.say)
    return [one for one in done if isinstance(one, Refused)]


def _tasks(args: Namespace, bench: Workbench, runs: Path) -> Tasks:
    """Return the tasks of a board, whose rows may lie where the runs had them."""
    return Tasks(bench, args.data, vocab=args.vocab, runs=find_runs(runs) if runs.is_dir() else ())


def _nothing(store: Store, args: Namespace, refused: Sequence[Refused]) -> UsageError:
    """Return why there is no table: every run was left out, or there was none."""
    if refused:
        reasons = "; ".join(f"{one.source}: {one.reason}" for one in refused[:SHOWN])
        more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
        return UsageError(f"no run can stand in a table: {reasons}{more}")
    return UsageError(
        f"{store.root} has no row" + (f" of {args.task}" if args.task else ""),
        hint="finish a run, or: run-bench leaderboard add SUBMISSION",
    )


def _add(args: Namespace, bench: Workbench) -> None:
    _refuse_shipped(args)
    store, tasks = _store(args), Tasks(bench, args.data, vocab=args.vocab or args.originals)
    if not args.paths:
        _add_originals(args, store, tasks, bench)
        return
    if args.replaces and len(args.paths) > 1:
        raise UsageError("--replaces takes one submission", hint="add the others without it")
    source = args.data[0] if args.data else "sample"
    foreign = Foreign(
        task=args.task, split=args.split, source=source if args.task else "", name=args.name, form=args.form
    )
    batch = uuid4().hex[:12] if len(args.paths) > 1 else ""
    keeping = Keeping(args.reproduced_by, args.replaces, batch)
    for path in args.paths:
        with store.alone():
            added = add(store, path, tasks, foreign, keeping)
        made = added.submission
        bench.write(f"added {made.name} to {made.task}: {added.folder}\n")
        for note in added.notes:
            bench.write(f"note: {note}\n")
        if reason := made.evidence.get("reason"):
            bench.write(f"trust: {made.evidence['trust']} ({reason})\n")


def _withdraw(args: Namespace, bench: Workbench) -> None:
    _refuse_shipped(args)
    if len(args.paths) != 1 or not args.reason:
        raise UsageError(
            "withdraw takes one row and the reason", hint="run-bench leaderboard withdraw ROW --reason TEXT"
        )
    store = _store(args)
    store.check()
    with store.alone():
        folder = withdraw(store, str(args.paths[0]), args.reason)
    bench.write(f"withdrawn: {folder}\n")


def _add_originals(args: Namespace, store: Store, tasks: Tasks, bench: Workbench) -> None:
    if args.originals is None:
        raise UsageError("nothing to add", hint="run-bench leaderboard add PATH [PATH ...]")
    done = add_originals(store, args.originals, tasks, bench.say)
    for one in done:
        if isinstance(one, Refused):
            bench.write(f"{one.source}: left out: {one.reason}\n")
            continue
        bench.write(f"{one.source}: added {one.folder.name}\n")
        for note in one.notes:
            bench.write(f"note: {note}\n")
    if missing := [one for one in done if isinstance(one, Refused)]:
        raise DataError(f"{len(missing)} of {len(done)} originals were not added")


def _pack(args: Namespace, bench: Workbench) -> None:
    if len(args.paths) != 1:
        raise UsageError("pack takes one run", hint="run-bench leaderboard pack RUN --output DIR")
    submission = from_run(args.paths[0], args.name)
    folder = args.output or Path("submissions") / submission.id
    write_submission(submission, folder, list(submission.outputs))
    bench.write(f"{folder}\n")


def _verify(args: Namespace, bench: Workbench) -> None:
    _no_paths(args)
    tasks = Tasks(bench, args.data, vocab=args.vocab or args.originals)
    findings = []
    for finding in verify(_store(args), tasks, args.originals):
        findings.append(finding)
        if not args.json:
            reason = f": {finding.reason}" if finding.reason else ""
            bench.write(f"{finding.verdict:<9} {finding.what}{reason}\n")
    counts = {v: sum(f.verdict == v for f in findings) for v in ("same", "differs", "unchecked")}
    if args.json:
        rows = [{"what": f.what, "verdict": f.verdict, "reason": f.reason} for f in findings]
        bench.write_json({"findings": rows, **counts})
    else:
        bench.write(", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + "\n")
    if counts["differs"]:
        raise DataError(f"{counts['differs']} of {len(findings)} differ from what is stored")
    if not counts["same"]:
        raise DataError("nothing could be checked", hint="--data FOLDER, --originals DIR")


def _history(args: Namespace, bench: Workbench) -> None:
    store = _store(args)
    if args.paths:
        _rebuild(args, store, bench)
        return
    for entry in history.entries(store.history):
        rows = sum(len(state["rows"]) for state in entry["tables"].values())
        bench.write(f"{entry['number']}  {entry['date']}  {entry['hash'][:12]}  {rows} rows\n")
        for row, reason in history.reasons(store.history, entry):
            bench.write(f"   no longer shown: {row}: {reason}\n")
    if broken := list(history.faults(store.history)):
        raise DataError(f"the history is broken: {broken[0]}")


def _rebuild(args: Namespace, store: Store, bench: Workbench) -> None:
    """Write the tables of an old entry again."""
    number = str(args.paths[0])
    if len(args.paths) > 1 or not number.isdecimal() or args.output is None:
        raise UsageError(
            "history takes the number of one entry, and where to write its tables",
            hint="run-bench leaderboard history 1 --output DIR",
        )
    for table in history.tables_of(store.history, int(number)):
        for name, text in all_forms(table, list(FORMATS)):
            write(args.output / name, text)
            bench.write(f"written: {args.output / name}\n")


def _export(args: Namespace, bench: Workbench) -> None:
    export(args, _store(args), bench)


def _import(args: Namespace, bench: Workbench) -> None:
    _refuse_shipped(args)
    take_in(args, _store(args), bench)


def _schema(args: Namespace, bench: Workbench) -> None:
    _no_paths(args)
    bench.write(json.dumps(schema(), indent=2) + "\n")


def _workflow(args: Namespace, bench: Workbench) -> None:
    _no_paths(args)
    place = resources.files("harness.leaderboards.publish").joinpath("workflow.yml")
    bench.write(place.read_text(encoding="utf-8"))
