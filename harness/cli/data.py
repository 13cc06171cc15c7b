"""`data`: what a task needs and where to get it; checks of files; overlaps; rows as a model meets them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, UsageError
from harness.api.example import Example
from harness.api.task import DataReport, Task
from harness.data.convert import FORMS, convert
from harness.engine.data import TaskData
from harness.engine.progress import choose_progress
from harness.engine.registry import Registry
from harness.scoring.alphabet import LETTERS

from . import data_learning
from .data_export import add_export, export
from .data_overlap import opened_tasks, overlaps
from .output import say, write, write_json
from .parser import add_verb
from .run_arguments import add_plugin_arguments, add_settings, open_registry
from .tables import Table, print_table


def add_parser(subparsers: Any) -> None:
    """Describe the verb and what it can do."""
    parser = add_verb(
        subparsers,
        "data",
        "Say what data a task needs and where to get it; check, convert and export it; find overlaps; make "
        "preferences out of a run; show rows.",
        "run-bench data --task chebi20",
        "run-bench data check FOLDER --task chebi20",
        "run-bench data show --task toy --rows 1",
    )
    parser.add_argument("--task", metavar="TASK", help="only this task or task group")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_plugin_arguments(parser)
    actions = parser.add_subparsers(
        dest="action",
        metavar="{check,convert,export,overlap,preferences,show}",
        help="without one: what tasks need",
    )
    check = _add_check(actions)
    convert = _add_convert(actions)
    overlap, preferences = _add_overlap(actions), data_learning.add_preferences(actions)
    show, exporting = _add_show(actions), add_export(actions)
    for action in (check, overlap, show, exporting):
        add_settings(action, "settings of data and task")
    for action in (check, convert, overlap, preferences, show, exporting):
        action.add_argument("--json", action="store_true", help="print JSON")
        add_plugin_arguments(action)


def _add_check(actions: Any) -> argparse.ArgumentParser:
    check = add_verb(
        actions,
        "check",
        "Validate every row of a file or folder, and name what is wrong with its place.",
        "run-bench data check FOLDER --task chebi20",
        "run-bench data check --task my-task.toml",
        "run-bench data check pairs.jsonl --stage dpo",
        summary="validate every row of a file or folder",
    )
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
    return check


def _add_convert(actions: Any) -> argparse.ArgumentParser:
    convert = add_verb(
        actions,
        "convert",
        "Write a file of conversations in another form: rows are read in whichever they are.",
        "run-bench data convert alpaca.json talk.jsonl --to sharegpt",
        summary="write conversations in another form",
    )
    convert.add_argument("source", type=Path, help="a JSON or JSON-lines file of any form that is known")
    convert.add_argument("target", type=Path, help="the .json or .jsonl file that is written")
    convert.add_argument("--to", required=True, choices=tuple(FORMS), help="the form")
    convert.add_argument("--skip-bad-rows", action="store_true", help="leave out rows that do not fit")
    return convert


def _add_overlap(actions: Any) -> argparse.ArgumentParser:
    overlap = add_verb(
        actions,
        "overlap",
        "Find what a test set shares with training rows: questions and answers of a task, or without a task "
        "molecules, scaffolds and captions of pairs.",
        "run-bench data overlap train.tsv test.tsv",
        "run-bench data overlap train.csv test.csv --task my-task.toml --list question",
        summary="find what a test set shares with training rows",
    )
    overlap.add_argument("train", type=Path, help="a file, or a folder whose training split is meant")
    overlap.add_argument("test", type=Path, help="a file, or a folder whose test split is meant")
    text = "whose rows they are (default: pairs of molecule and caption)"
    overlap.add_argument("--task", metavar="TASK", help=text)
    overlap.add_argument("--list", metavar="KIND", help="also list the ids of test rows of this kind")
    return overlap


def _add_show(actions: Any) -> argparse.ArgumentParser:
    show = add_verb(
        actions,
        "show",
        "Show rows of a task with their exact prompts, choices and references.",
        "run-bench data show --task toy --rows 1",
        summary="show rows with their exact prompts",
    )
    show.add_argument("--task", metavar="TASK", required=True, help="the task")
    show.add_argument("--data", metavar="SOURCE", help="sample, hub, or a folder or file")
    show.add_argument("--split", default="test", help="the split (default: test)")
    show.add_argument("--rows", type=int, default=3, metavar="N", help="how many rows (default: 3)")
    show.add_argument("--pictures", type=Path, metavar="DIR", help="also draw each row's molecule into DIR")
    return show


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    if args.action == "convert":
        return _convert(args)
    registry = open_registry(args)
    if args.action == "overlap":
        return overlaps(args, registry)
    if args.action == "preferences":
        return data_learning.make_preferences(args, registry)
    if args.action == "check":
        return _check(args, registry)
    if args.action == "export":
        return export(args, registry)
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


def _needs(args: argparse.Namespace, registry: Registry) -> int:
    if args.json:
        names = ("sources", "files", "homepage", "licence")
        tasks = _tasks(registry, args.task)
        write_json([{"task": name, **{what: getattr(kind, what) for what in names}} for name, kind in tasks])
        return 0
    for number, (name, kind) in enumerate(_tasks(registry, args.task)):
        lines = [name]
        for title, facts in (("--data", kind.sources), ("files", kind.files)):
            if facts:
                lines.append(f"  {title}")
                width = max(map(len, facts))
                lines += [f"    {key:<{width}}  {what}" for key, what in facts.items()]
        lines += [f"  from     {kind.homepage}"] if kind.homepage else []
        lines += [f"  licence  {kind.licence}"] if kind.licence else []
        write("\n" * bool(number) + "\n".join(lines) + "\n")
    return 0


def _check(args: argparse.Namespace, registry: Registry) -> int:
    stage = registry.stages.get(args.stage).entry if args.stage else None
    args.task = args.task or (stage.task if stage else "")
    if not args.task:
        raise UsageError("the rows of which task are they?", hint="--task NAME, or --stage dpo")
    data = next(opened_tasks(registry, args.task, args.set, args.source))
    args.source = data.task.data.source
    progress = choose_progress(quiet=args.json)
    progress.start(f"checking {args.source}", unit="rows")
    try:
        report = data.task.check()
        if stage is not None:
            data.task.data = replace(data.task.data, skip_bad_rows=True)  # they are in the report
            report = data_learning.checked_for(stage, data, report, args.tokenizer, args.max_length)
    finally:
        progress.finish()
    bad = sum(1 for finding in report.findings if finding.bad)
    if args.json:
        facts = asdict(report) | {"rows": dict(report.rows)}
        write_json(facts)
    else:
        _print_report(args.source, args.task, report)
    if not report.rows or not sum(report.rows.values()):
        hint = next((finding.hint for finding in report.findings if finding.hint), "")
        raise DataError(f"{args.source} has no row that {args.task} can use", hint=hint)
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
    if report.rows:
        print_table(Table("", ["split", "good rows"], [[k, f"{n:,}"] for k, n in report.rows.items()]))
    if not report.counts:
        write("nothing wrong\n")
        return
    table = Table("", ["kind", "rows", "used", "first"])
    for kind, count in sorted(report.counts.items()):
        first = next(finding for finding in report.findings if finding.kind == kind)
        said = first.found if kind == "unreadable" else str(first)  # which names its place itself
        table.rows.append([kind, f"{count:,}", "no" if first.bad else "yes", said])
    print_table(table, left=True)


def _convert(args: argparse.Namespace) -> int:
    if not args.source.is_file():
        raise DataError(f"there is no file at {args.source}")
    kept, left = convert(args.source, args.target, args.to, skip=args.skip_bad_rows)
    if args.json:
        write_json({"written": kept, "left_out": left, "target": str(args.target)})
        return 0
    without = f", {left:,} left out" if left else ""
    write(f"{kept:,} rows written to {args.target}{without}\n")
    return 0


def _show(args: argparse.Namespace, registry: Registry) -> int:
    if args.rows < 1:
        raise UsageError(f"--rows must be at least 1, not {args.rows}")
    shown: list[tuple[TaskData, Example]] = []
    for data in opened_tasks(registry, args.task, args.set, args.data):
        shown += [(data, example) for example in data.scored(args.split, args.rows)]
        for note in data.task.notes:
            say(note)
    if args.pictures:
        _draw(shown, args.pictures)
    if args.json:
        rows = [{"task": data.name, **asdict(row), "prompt": data.render(row)} for data, row in shown]
        write_json(rows)
        return 0
    for data, example in shown:
        lines = [f"{data.name}  {example.id}", *_indented("prompt", data.render(example))]
        for letter, choice in zip(LETTERS, example.choices, strict=False):
            lines += _indented(f"choice {letter}", choice)
        for reference in example.references:
            lines += _indented("reference", reference)
        write("\n".join(lines) + "\n\n")
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
