"""`data overlap`: what test rows share with training rows, of a task or of molecule-caption pairs."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.api.errors import DataError, UsageError
from harness.api.run import Progress
from harness.data.overlap import NEARLY, Overlap, Texts, overlap
from harness.engine import task_files
from harness.engine.config import Setting, check_keys, read_flag, rows_of
from harness.engine.data import TaskData, open_task
from harness.engine.progress import choose_progress
from harness.engine.registry import Registry

from .output import write, write_json
from .tables import Table, print_table

if TYPE_CHECKING:  # molecules import RDKit, which rows of texts must not
    from harness.chem.captioned import CaptionedMolecule
    from harness.chem.overlap import MoleculeOverlap

KINDS = {
    "question": "the same question",
    "near-question": f"a question {NEARLY}",
    "answer": "the same answer in the one spelling that the task knows: likeness, not a leak",
}
LEAKS = ("question", "near-question")
T = TypeVar("T")


def overlaps(args: argparse.Namespace, registry: Registry) -> int:
    """Compare, and print what was found."""
    notes: list[str] = []
    kinds = _kinds(args)
    progress = choose_progress(quiet=args.json)
    try:
        found = _of_molecules(args, progress) if args.task is None else _of_task(args, registry, progress)
    finally:
        progress.finish()
    unreadable = getattr(found, "unreadable", 0)
    if unreadable:
        notes.append(f"{unreadable:,} molecules that RDKit refuses were compared as text only")
    ids = {kind: sorted(found.ids.get(kind, ())) for kind in kinds}
    if args.json:
        facts = {"rows": found.rows, "train_rows": found.train_rows, "unreadable": unreadable}
        write_json(facts | {"clean": found.rows - len(found.leaked), "ids": ids})
        return 0
    print_table(_table(args, found, kinds, notes), left=True)
    if args.list:
        write("\n".join([f"{args.list}:", *ids[args.list]]) + "\n")
    return 0


def _kinds(args: argparse.Namespace) -> Mapping[str, str]:
    """Return the kinds of overlap with what they are; one that is to be listed is among them."""
    if args.task is None:
        from harness.chem.overlap import KINDS as kinds  # here, because only molecules need RDKit
    else:
        kinds = KINDS
    if args.list is not None and args.list not in kinds:
        raise UsageError(f"no kind of overlap named '{args.list}'", hint="kinds: " + ", ".join(kinds))
    return kinds


def _table(args: argparse.Namespace, found: Overlap, kinds: Mapping[str, str], notes: list[str]) -> Table:
    table = Table(
        f"{found.rows:,} rows of {args.test} against {found.train_rows:,} training rows of {args.train}",
        ["shared", "rows", "share", "what it is"],
    )
    for kind, what in kinds.items():
        count = len(found.ids.get(kind, ()))
        table.rows.append([kind, f"{count:,}", f"{count / max(found.rows, 1):.1%}", what])
    clean = found.rows - len(found.leaked)
    shared = ", ".join(found.leaks)
    table.notes = [f"clean: {clean:,} rows share none of {shared} with a training row", *notes]
    return table


def _of_molecules(args: argparse.Namespace, progress: Progress) -> MoleculeOverlap:
    from harness.chem.overlap import overlap as of_molecules

    test = list(_pairs(args.test, "test"))
    progress.start("comparing training rows", unit="rows")
    return of_molecules(_counted(_pairs(args.train, "train"), progress), test)


def _of_task(args: argparse.Namespace, registry: Registry, progress: Progress) -> Overlap:
    test = list(_texts(args, registry, args.test, "test"))
    progress.start("comparing training rows", unit="rows")
    train = _counted(_texts(args, registry, args.train, "train"), progress)
    return overlap(train, test, "near-question", LEAKS)


def _texts(args: argparse.Namespace, registry: Registry, source: Path, split: str) -> Iterator[Texts]:
    """Yield a split's rows as texts; a file that has no such split is taken whole."""
    data = next(opened_tasks(registry, args.task, args.set, str(source)))
    present = [split] if split in data.task.splits() else data.task.splits()
    for example in chain.from_iterable(map(data.learned, present)):
        question = "\n".join(example.inputs.values())
        answer = data.task.canonical(next(iter(example.references), ""))
        yield Texts(example.id, {"question": question, "answer": answer}, question)


def opened_tasks(registry: Registry, task: str, sets: list[str], source: str | None) -> Iterator[TaskData]:
    """Open the task that is meant, or each of a group, as a run with the same settings would."""
    what = task_files.named(registry, task)
    flags = dict(map(read_flag, sets)) | ({"data.source": source} if source is not None else {})
    check_keys(flags, "the command line")
    asked = {key: Setting(value, "flag") for key, value in flags.items()}
    data, options = rows_of({**what.settings, **asked, **({} if source is not None else what.rows)})
    for member in registry.expand(what.task):
        yield open_task(registry, member, data, model="", options=options)


def _pairs(source: Path, split: str) -> Iterator[CaptionedMolecule]:
    from harness.chem.published import read
    from harness.data.split_files import split_of

    if not source.exists():
        raise DataError(f"there is no data at {source}")
    if source.is_file():
        named = split_of(source.name)
        return read([source], named[0] if named else "test")
    return read(source, split)


def _counted(rows: Iterable[T], progress: Progress) -> Iterator[T]:
    for row in rows:
        progress.advance()
        yield row
