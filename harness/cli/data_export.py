"""`data export`: a task's rows as files, described in Croissant, and the task for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harness.api.errors import UsageError
from harness.bridges import inspect_ai
from harness.bridges.croissant import write_croissant
from harness.bridges.lm_eval import export as lm_eval
from harness.bridges.rows import Asked, Facts, Split, write_split
from harness.engine.data import TaskData
from harness.engine.registry import Registry

from .data_overlap import opened_tasks
from .output import say, write, write_json
from .parser import add_verb

PROGRAMS = {"lm-eval": lm_eval.write_task, "inspect": inspect_ai.write_task}


def add_export(actions: Any) -> argparse.ArgumentParser:
    """Describe the action."""
    export = add_verb(
        actions,
        "export",
        "Write a task's rows with their exact prompts as JSON lines, described in Croissant, and with --to "
        "the task as another program reads it, too.",
        "run-bench data export --task toy --output toy",
        "run-bench data export --task toy-choice --to lm-eval --output toy-choice",
        summary="write rows as files, for Croissant, lm-eval and inspect",
    )
    export.add_argument("--task", metavar="TASK", required=True, help="the task")
    export.add_argument("--data", metavar="SOURCE", help="sample, hub, or a folder or file")
    export.add_argument("--split", default="test", metavar="A,B", help="the splits (default: test)")
    export.add_argument("--to", choices=tuple(PROGRAMS), help="also write the task for this program")
    export.add_argument("--output", type=Path, required=True, metavar="DIR", help="where to")
    return export


def export(args: argparse.Namespace, registry: Registry) -> int:
    """Write rows, their description and the task."""
    tasks = list(opened_tasks(registry, args.task, args.set, args.data))
    written = []
    for data in tasks:
        folder = args.output / data.name.replace("/", "-") if len(tasks) > 1 else args.output
        written += _export(args, data, folder)
        for note in data.task.notes:
            say(note)
    if args.json:
        write_json([str(path) for path in written])
    else:
        write("".join(f"written: {path}\n" for path in written))
    return 0


def _export(args: argparse.Namespace, data: TaskData, folder: Path) -> list[Path]:
    asked = Asked(data.request, data.read)
    names = [name for name in args.split.split(",") if name]
    if not names:
        raise UsageError("--split names nothing", hint=f"splits: {', '.join(data.task.splits())}")
    splits = [write_split(name, data.examples(name), asked, folder) for name in names]
    paths = [split.path for split in splits]
    if args.to:
        paths.append(PROGRAMS[args.to](_facts(data), _asked_of(splits), folder))
    return [*paths, write_croissant(_facts(data), splits, folder)]


def _asked_of(splits: list[Split]) -> Split:
    """Return the split that models are asked about: the test, or the last that was named."""
    return next((split for split in splits if split.name == "test"), splits[-1])


def _facts(data: TaskData) -> Facts:
    task = data.task
    return Facts(
        name=data.name,
        summary=data.registered.entry.summary,
        version=task.version,
        kind=data.kind,
        licence=task.licence,
        citation=task.citation,
        homepage=task.homepage,
        made_up=data.sample,
    )
