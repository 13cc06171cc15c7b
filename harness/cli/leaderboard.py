"""`leaderboard`: add answers to a board, build its tables and pages, verify every number, publish."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, UsageError

from .run_arguments import add_data_arguments, add_plugin_arguments, open_registry
from .tables import Table, print_table
from .task_views import TaskViews, hosted

ACTIONS = {
    "build": "gather finished runs, build every table and the pages (what happens without an action)",
    "add": "score a submission (folder, zip, run, or bare answers) and keep it",
    "pack": "make a submission of a run, to hand in elsewhere",
    "verify": "score every row anew; a difference above 1e-9 is an error",
    "history": "print the chain of what was built, and check it; with a number, write that entry's tables",
    "schema": "print the JSON Schema of submission.json",
    "workflow": "print a GitHub Action that verifies submissions on pull requests",
}
DEFAULT_BOARD = "boards"
SHIPPED = "@published"  # read, never written: its own folder is named by its path


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "leaderboard",
        description="Tables from runs and submissions, with intervals, tests, health and pages. "
        + " ".join(f"{name}: {text}." for name, text in ACTIONS.items()),
        allow_abbrev=False,
    )
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="build", help="what to do")
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="what is added or packed; a number of history"
    )
    group = parser.add_argument_group("board")
    group.add_argument(
        "--board",
        default=DEFAULT_BOARD,
        metavar="DIR",
        help="the board's folder (default: %(default)s), or @published for the shipped one",
    )
    group.add_argument("--task", default="", metavar="A,B", help="only these tasks or groups")
    group.add_argument(
        "--runs", type=Path, metavar="DIR", help="finished runs that build takes in (default: runs)"
    )
    add_data_arguments(group)
    group.add_argument(
        "--format", default="json,md,csv,tex,site", metavar="A,B", help="forms that build writes"
    )
    group.add_argument(
        "--publish",
        metavar="TO",
        help="after building: a folder, git:REPOSITORY, hub:dataset:OWNER/NAME, hub:space:OWNER/NAME",
    )
    group.add_argument(
        "--dry-run", action="store_true", help="with --publish: say what would be sent, send nothing"
    )
    group = parser.add_argument_group("answers")
    group.add_argument("--name", default="", help="the row's name, for bare answers and runs")
    group.add_argument("--split", default="test", help="the split that bare answers belong to")
    group.add_argument(
        "--form",
        default="",
        help="the form of bare answers: lines, molt5, jsonl (default: by its first line)",
    )
    group.add_argument(
        "--reproduced-by", type=Path, metavar="RUN", help="a run here that gave the same answers"
    )
    group.add_argument(
        "--originals",
        type=Path,
        metavar="DIR",
        help="where originals.json finds the answers that a board does not keep",
    )
    group.add_argument("--output", type=Path, metavar="DIR", help="where pack, or history NUMBER, writes")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    actions = {
        "build": _build, "add": _add, "pack": _pack,
        "verify": _verify, "history": _history, "schema": _schema, "workflow": _workflow,
    }  # fmt: skip
    return actions[args.action](args)


def board_folder(name: str) -> Path:
    """Return a board's folder; `@published` is the one that comes with the program."""
    if name == SHIPPED:
        return Path(hosted("plain:__file__")).parent / "published"
    return Path(name)


def _store(args: argparse.Namespace) -> Any:
    return hosted("store:Store")(board_folder(args.board))


def _refuse_shipped(args: argparse.Namespace) -> None:
    """Refuse to change the board that comes with the program."""
    if args.board == SHIPPED:
        raise UsageError(f"{SHIPPED} is only read", hint="name a board of your own: --board DIR")


def _tasks(registry: Any, names: str) -> list[str]:
    return [member.entry.name for name in names.split(",") if name for member in registry.expand(name)]


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _no_paths(args: argparse.Namespace) -> None:
    if args.paths:
        raise UsageError(f"{args.action} takes no path, got {args.paths[0]}", hint="--board DIR")


def _build(args: argparse.Namespace) -> int:
    _no_paths(args)
    if args.runs is not None:
        _refuse_shipped(args)
    registry = open_registry(args)
    views, store, tasks = (
        None if args.board == SHIPPED else TaskViews(registry, args.data, vocab=args.vocab),
        _store(args),
        _tasks(registry, args.task),
    )
    runs = args.runs or Path("runs")
    refused = []
    if views is not None and (args.runs is not None or runs.is_dir()):
        refused = [a for a in hosted("build:add_runs")(store, runs, views, tasks, _say) if a.reason]
    tables = hosted("build:build")(store, views, tasks)
    if not tables:
        raise UsageError(
            f"{store.root} has no row" + (f" of {args.task}" if args.task else ""),
            hint="finish a run, or: run-bench leaderboard add SUBMISSION",
        )
    written = [] if views is None else _write(store, tables, args.format.split(","), registry)
    if args.json:
        sys.stdout.write(json.dumps(tables, indent=1, ensure_ascii=False) + "\n")
        return 0
    for table in tables:
        print_table(Table(**hosted("render:terminal")(table)))
        sys.stdout.write("\n")
    for added in refused:
        sys.stdout.write(f"left out: {added.source}: {added.reason}\n")
    for path in written:
        sys.stdout.write(f"written: {path}\n")
    if args.publish:
        date = datetime.now(UTC).date().isoformat()
        published = hosted("publish:publish")(store, args.publish, date, dry_run=args.dry_run)
        sys.stdout.write(hosted("publish:as_text")(published))
    return 0


def _write(
    store: Any, tables: Sequence[Mapping[str, Any]], formats: Sequence[str], registry: Any
) -> list[Path]:
    """Write each table in each form; one that is not built in is asked of plugins."""
    known = hosted("render:FORMATS")
    written: list[Path] = []
    write = hosted("plain:write")
    for name in formats:
        if name == "site":
            written.append(hosted("site:write_site")(store, tables))
            continue
        for table in tables:
            if name in known:
                ending, render = known[name]
                text = render(table)
            else:
                ending = f".{name}"
                text = registry.plugins.hook.harness_render_leaderboard(board=table, format=name)
                if text is None:
                    forms = ", ".join([*known, "site"])
                    raise UsageError(f"no plugin writes the form '{name}'", hint=f"built in: {forms}")
            path = store.tables / f"{table['id']}{ending}"
            write(path, text)
            if name == "md":
                written.append(path)
    return written


def _add(args: argparse.Namespace) -> int:
    _refuse_shipped(args)
    registry = open_registry(args)
    views, store = TaskViews(registry, args.data, vocab=args.vocab or args.originals), _store(args)
    if not args.paths:
        return _add_originals(args, store, views)
    source = args.data[0] if args.data else "sample"
    foreign = hosted("build:Foreign")(
        task=args.task, split=args.split, source=source if args.task else "", name=args.name, form=args.form
    )
    for path in args.paths:
        added = hosted("build:add")(store, path, views, foreign, args.reproduced_by)
        sys.stdout.write(f"added {added.submission.name} to {added.submission.task}: {added.folder}\n")
        for note in added.notes:
            sys.stdout.write(f"note: {note}\n")
        if reason := added.submission.evidence.get("reason"):
            sys.stdout.write(f"trust: {added.submission.evidence['trust']} ({reason})\n")
    return 0


def _add_originals(args: argparse.Namespace, store: Any, views: TaskViews) -> int:
    if args.originals is None:
        raise UsageError("nothing to add", hint="run-bench leaderboard add PATH [PATH ...]")
    done = hosted("build:add_originals")(store, args.originals, views, _say)
    for added in done:
        text = f"left out: {added.reason}" if added.reason else f"added {added.folder.name}"
        sys.stdout.write(f"{added.source}: {text}\n")
        for note in added.notes:
            sys.stdout.write(f"note: {note}\n")
    if missing := [added for added in done if added.reason]:
        raise DataError(f"{len(missing)} of {len(done)} originals were not added")
    return 0


def _pack(args: argparse.Namespace) -> int:
    if len(args.paths) != 1:
        raise UsageError("pack takes one run", hint="run-bench leaderboard pack RUN --output DIR")
    submission = hosted("from_run:from_run")(args.paths[0], args.name)
    folder = args.output or Path("submissions") / submission.id
    hosted("submission:write_submission")(submission, folder, list(submission.outputs))
    sys.stdout.write(f"{folder}\n")
    return 0


def _verify(args: argparse.Namespace) -> int:
    _no_paths(args)
    store = _store(args)
    views = TaskViews(open_registry(args), args.data, vocab=args.vocab or args.originals)
    findings = []
    for finding in hosted("verify:verify")(store, views, args.originals):
        findings.append(finding)
        if not args.json:
            reason = f": {finding.reason}" if finding.reason else ""
            sys.stdout.write(f"{finding.verdict:<9} {finding.what}{reason}\n")
    counts = {v: sum(f.verdict == v for f in findings) for v in ("same", "differs", "unchecked")}
    if args.json:
        rows = [{"what": f.what, "verdict": f.verdict, "reason": f.reason} for f in findings]
        sys.stdout.write(json.dumps({"findings": rows, **counts}, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + "\n")
    if counts["differs"]:
        raise DataError(f"{counts['differs']} of {len(findings)} differ from what is stored")
    if not counts["same"]:
        raise DataError("nothing could be checked", hint="--data FOLDER, --originals DIR")
    return 0


def _history(args: argparse.Namespace) -> int:
    store = _store(args)
    if args.paths:
        return _rebuild(args, store)
    for entry in hosted("history:entries")(store.history):
        rows = sum(len(state["rows"]) for state in entry["tables"].values())
        gone = (
            "; removed " + ", ".join(row for rows in entry["removed"].values() for row in rows)
            if entry["removed"]
            else ""
        )
        sys.stdout.write(f"{entry['number']}  {entry['date']}  {entry['hash'][:12]}  {rows} rows{gone}\n")
    if broken := list(hosted("history:faults")(store.history)):
        raise DataError(f"the history is broken: {broken[0]}")
    return 0


def _rebuild(args: argparse.Namespace, store: Any) -> int:
    """Write the tables of an old entry again."""
    number = str(args.paths[0])
    if len(args.paths) > 1 or not number.isdecimal() or args.output is None:
        raise UsageError(
            "history takes the number of one entry, and where to write its tables",
            hint="run-bench leaderboard history 1 --output DIR",
        )
    tables = hosted("history:tables_of")(store.history, int(number))
    for table in tables:
        for name, text in hosted("render:all_forms")(table, list(hosted("render:FORMATS"))):
            hosted("plain:write")(args.output / name, text)
            sys.stdout.write(f"written: {args.output / name}\n")
    return 0


def _schema(args: argparse.Namespace) -> int:
    _no_paths(args)
    sys.stdout.write(json.dumps(hosted("submission:schema")(), indent=2) + "\n")
    return 0


def _workflow(args: argparse.Namespace) -> int:
    _no_paths(args)
    path = Path(hosted("plain:__file__")).parent / "assets" / "workflow.yml"
    sys.stdout.write(path.read_text(encoding="utf-8"))
    return 0
