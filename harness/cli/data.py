"""`data`: what a task needs and where to get it; checks of files; overlaps; rows as a model meets them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.errors import DataError, UsageError
from harness.api.example import Example
from harness.api.run import Progress
from harness.api.task import DataReport, Task
from harness.engine import task_files
from harness.engine.config import Setting, check_keys, read_flag, rows_of
from harness.engine.data import TaskData, open_task
from harness.engine.progress import choose_progress
from harness.engine.registry import Registry
from harness.scoring.alphabet import LETTERS

from . import data_learning
from .run_arguments import add_plugin_arguments, open_registry
from .tables import Table, print_table

if TYPE_CHECKING:  # molecules import RDKit, which the help of this verb must not
    from harness.chem.captioned import CaptionedMolecule
    from harness.chem.overlap import Overlap


def add_parser(subparsers: Any) -> None:
    """Describe the verb and what it can do."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "data",
        description="Say what data a task needs and where to get it; check files; find overlaps; make "
        "preferences out of a run; show rows.",
        allow_abbrev=False,
    )
    parser.add_argument("--task", metavar="TASK", help="only this task or task group")
    add_plugin_arguments(parser)
    actions = parser.add_subparsers(
        dest="action", metavar="{check,overlap,preferences,show}", help="without one: what tasks need"
    )

    check = actions.add_parser("check", help="validate every row of a file or folder", allow_abbrev=False)
    check.add_argument("source", nargs="?", help="a file or a folder")
    check.add_argument(
        "--task", metavar="TASK", help="the task whose rows they should be (default: that of --stage)"
    )
    check.add_argument(
        "--stage", metavar="STAGE", help="check as what a stage learns from: dpo, reward, grpo, …"
    )
    check.add_argument("--tokenizer", metavar="NAME", help="with --max-length: what counts tokens")
    check.add_argument(
        "--max-length", type=int, metavar="N", help="say which rows take more tokens than this"
    )
    check.add_argument("--skip-bad-rows", action="store_true", help="exit with 0 although rows are bad")

    overlap = actions.add_parser(
        "overlap", help="find what a test set shares with training pairs", allow_abbrev=False
    )
    overlap.add_argument("train", type=Path, help="molecule-caption pairs: a file, or a folder's train split")
    overlap.add_argument("test", type=Path, help="molecule-caption pairs: a file, or a folder's test split")
    overlap.add_argument("--list", metavar="KIND", help="also list the ids of test rows of this kind")

    preferences = data_learning.add_preferences(actions)

    show = actions.add_parser("show", help="show rows with their exact prompts", allow_abbrev=False)
    show.add_argument("--task", metavar="TASK", required=True, help="the task")
    show.add_argument("--data", metavar="SOURCE", help="sample, hub, or a folder or file")
    show.add_argument("--split", default="test", help="the split (default: test)")
    show.add_argument("--rows", type=int, default=3, metavar="N", help="how many rows (default: 3)")
    show.add_argument("--pictures", type=Path, metavar="DIR", help="also draw each row's molecule into DIR")
    for action in (check, show):
        action.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="settings of data and task"
        )
    for action in (check, overlap, preferences, show):
        action.add_argument("--json", action="store_true", help="print JSON")
        add_plugin_arguments(action)


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    if args.action == "overlap":
        return _overlap(args)
    if args.action == "preferences":
        return data_learning.make_preferences(args)
    registry = open_registry(args)
    if args.action == "check":
        return _check(args, registry)
    if args.action == "show":
        return _show(args, registry)
    return _needs(args, registry)


def _tasks(registry: Registry, name: str | None) -> Iterator[tuple[str, type[Task]]]:
    """Yield the tasks of a name or of all names; of a group the first member, as all share its rows."""
    if name is not None:
        found = registry.expand(name)[0]
        yield name, found.load()
        return
    grouped = {member for item in registry.tasks for member in item.entry.members}
    for item in registry.tasks:
        if item.entry.name not in grouped:
            yield item.entry.name, registry.expand(item.full_name)[0].load()


def _opened(args: argparse.Namespace, registry: Registry, source: str | None) -> Iterator[TaskData]:
    """Open the task that is meant, or each of a group, as a run with the same settings would."""
    what = task_files.named(registry, args.task)
    flags = dict(map(read_flag, args.set)) | ({"data.source": source} if source is not None else {})
    check_keys(flags, "the command line")
    asked = {key: Setting(value, "flag") for key, value in flags.items()}
    data, options = rows_of({**what.settings, **asked, **what.rows})
    for member in registry.expand(what.task):
        yield open_task(registry, member, data, model="", options=options)


def _needs(args: argparse.Namespace, registry: Registry) -> int:
    for number, (name, kind) in enumerate(_tasks(registry, args.task)):
        lines = [name]
        for title, facts in (("--data", kind.sources), ("files", kind.files)):
            if facts:
                lines.append(f"  {title}")
                width = max(map(len, facts))
                lines += [f"    {key:<{width}}  {what}" for key, what in facts.items()]
        lines += [f"  from     {kind.homepage}"] if kind.homepage else []
        lines += [f"  licence  {kind.licence}"] if kind.licence else []
        sys.stdout.write("\n" * bool(number) + "\n".join(lines) + "\n")
    return 0


def _check(args: argparse.Namespace, registry: Registry) -> int:
    stage = registry.stages.get(args.stage).entry if args.stage else None
    args.task = args.task or (stage.task if stage else "")
    if not args.task:
        raise UsageError("the rows of which task are they?", hint="--task NAME, or --stage dpo")
    data = next(_opened(args, registry, args.source))
    args.source = data.task.data.source
    progress = choose_progress(quiet=args.json)
    progress.start(f"checking {args.source}", unit="rows")
    report = data.task.check()
    if stage is not None:
        data.task.data = replace(data.task.data, skip_bad_rows=True)  # they are in the report
        report = data_learning.checked_for(stage, data, report, args.tokenizer, args.max_length)
    progress.finish()
    bad = sum(1 for finding in report.findings if finding.bad)
    if args.json:
        facts = asdict(report) | {"rows": dict(report.rows)}
        sys.stdout.write(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    else:
        _print_report(args.source, args.task, report)
    if not report.rows or not sum(report.rows.values()):
        raise DataError(f"{args.source} has no row that {args.task} can use")
    if bad and not args.skip_bad_rows:
        raise DataError(
            f"{args.source} has bad rows: {', '.join(sorted({f.kind for f in report.findings if f.bad}))}",
            hint="mend the file, or leave the rows out with --skip-bad-rows",
        )
    return 0


def _print_report(source: str, task: str, report: DataReport) -> None:
    forms = Table(f"{source} as data of {task}", ["file", "form"])
    forms.rows = [[Path(file).name, form] for file, form in report.forms.items()]
    if forms.rows:
        print_table(forms, left=True)
    print_table(Table("", ["split", "good rows"], [[k, f"{n:,}"] for k, n in report.rows.items()]))
    if not report.counts:
        sys.stdout.write("nothing wrong\n")
        return
    table = Table("", ["kind", "rows", "used", "first"])
    for kind, count in sorted(report.counts.items()):
        first = next(finding for finding in report.findings if finding.kind == kind)
        table.rows.append([kind, f"{count:,}", "no" if first.bad else "yes", str(first)])
    print_table(table, left=True)


def _overlap(args: argparse.Namespace) -> int:
    # here, because only this needs RDKit
    from harness.chem.overlap import KINDS, LEAKS, overlap

    if args.list is not None and args.list not in KINDS:
        raise UsageError(f"no kind of overlap named '{args.list}'", hint="kinds: " + ", ".join(KINDS))
    progress = choose_progress(quiet=args.json)
    test = list(_pairs(args.test, "test"))
    progress.start("comparing training rows", unit="rows")
    found = overlap(_counted(_pairs(args.train, "train"), progress), test)
    progress.finish()
    if args.json:
        facts = {"rows": found.rows, "train_rows": found.train_rows, "unreadable": found.unreadable}
        ids = {kind: sorted(ids) for kind, ids in found.ids.items()}
        clean = found.rows - len(found.leaked)
        sys.stdout.write(json.dumps(facts | {"clean": clean, "ids": ids}, indent=1) + "\n")
        return 0
    _print_overlap(args, found, KINDS, LEAKS)
    if args.list:
        sys.stdout.write("\n".join([f"{args.list}:", *sorted(found.ids[args.list])]) + "\n")
    return 0


def _print_overlap(
    args: argparse.Namespace, found: Overlap, kinds: Mapping[str, str], leaks: tuple[str, ...]
) -> None:
    table = Table(
        f"{found.rows:,} rows of {args.test} against {found.train_rows:,} training rows of {args.train}",
        ["shared", "rows", "share", "what it is"],
    )
    for kind, what in kinds.items():
        count = len(found.ids[kind])
        table.rows.append([kind, f"{count:,}", f"{count / max(found.rows, 1):.1%}", what])
    clean = found.rows - len(found.leaked)
    table.notes = [f"clean: {clean:,} rows share none of {', '.join(leaks)} with a training row"]
    if found.unreadable:
        table.notes.append(f"{found.unreadable:,} molecules that RDKit refuses were compared as text only")
    print_table(table, left=True)


def _pairs(source: Path, split: str) -> Iterator[CaptionedMolecule]:
    from harness.chem.published import read
    from harness.data.split_files import split_of

    if not source.exists():
        raise DataError(f"there is no data at {source}")
    if source.is_file():
        named = split_of(source.name)
        return read([source], named[0] if named else "test")
    return read(source, split)


def _counted(rows: Iterator[CaptionedMolecule], progress: Progress) -> Iterator[CaptionedMolecule]:
    for row in rows:
        progress.advance()
        yield row


def _show(args: argparse.Namespace, registry: Registry) -> int:
    if args.rows < 1:
        raise UsageError(f"--rows must be at least 1, not {args.rows}")
    shown: list[tuple[TaskData, Example]] = []
    for data in _opened(args, registry, args.data):
        shown += [(data, example) for example in data.scored(args.split, args.rows)]
        for note in data.task.notes:
            sys.stderr.write(note + "\n")
    if args.pictures:
        _draw(shown, args.pictures)
    if args.json:
        rows = [{"task": data.name, **asdict(row), "prompt": data.render(row)} for data, row in shown]
        sys.stdout.write(json.dumps(rows, indent=1, ensure_ascii=False, default=str) + "\n")
        return 0
    for data, example in shown:
        lines = [f"{data.name}  {example.id}", *_indented("prompt", data.render(example))]
        for letter, choice in zip(LETTERS, example.choices, strict=False):
            lines += _indented(f"choice {letter}", choice)
        for reference in example.references:
            lines += _indented("reference", reference)
        sys.stdout.write("\n".join(lines) + "\n\n")
    return 0


def _draw(shown: list[tuple[TaskData, Example]], folder: Path) -> None:
    """Write a picture a row, of the row as it would look beside a right answer."""
    for data, example in shown:
        if svg := data.task.picture(example, example.references[0]):
            path = folder / f"{data.name.replace('/', '-')}-{example.id}.svg"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_text(svg, encoding="utf-8")
            except OSError as error:
                raise DataError(f"{path} cannot be written: {error.strerror}") from error


def _indented(name: str, text: str) -> list[str]:
    first, *rest = text.splitlines() or [""]
    return [f"  {name:<9}  {first}", *(f"  {'':<9}  {line}" for line in rest)]
