"""`data` for stages that learn from preferences and from scores: rows checked, and made out of a run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, MissingDependency, UsageError
from harness.api.rows import Preference, TrainRow
from harness.api.stage import StageEntry
from harness.api.task import DataReport, Finding
from harness.engine.data import TaskData
from harness.engine.learned import asks
from harness.engine.registry import Registry
from harness.files.rows import write_rows
from harness.training.rows import fault_of

from .output import write, write_json
from .parser import add_verb


def add_preferences(actions: Any) -> argparse.ArgumentParser:
    """Describe how preferences are made."""
    parser = add_verb(
        actions,
        "preferences",
        "Make preferences out of a run on the train split: of all answers to a request, the best by the "
        "metrics against the worst. Requests whose answers are equally good give none.",
        "run-bench data preferences RUN --metric morgan",
        "run-bench data preferences RUN --metric morgan=1,validity=0.2 --output pairs.jsonl",
        summary="make preferences out of a run: of all answers to a request, the best against the worst",
    )
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="a run on the train split")
    parser.add_argument(
        "--metric", required=True, metavar="A[=W],B[=W]", help="metrics of the task, with their weights"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("preferences.jsonl"),
        metavar="FILE",
        help="where they are written (default: %(default)s)",
    )
    return parser


def make_preferences(args: argparse.Namespace, registry: Registry) -> int:
    """Write the preferences of a run, and say how many requests gave none."""
    # here, because reading the arguments of `data` must not load the engine's judge
    from harness.engine.preferred import preferences_of

    found = preferences_of(registry, args.run_directory, weights(args.metric))
    if not found.rows:
        raise DataError(
            f"{args.run_directory} holds no preference: {found.single} requests have one answer, of "
            f"{found.ties} all are equally good",
            hint="--set generate.decoder=sampling --set generate.n_best=8 asks for several",
        )
    write_rows(args.output, found.rows, sort=False)
    facts = {
        "file": str(args.output),
        "preferences": len(found.rows),
        "ties": found.ties,
        "single": found.single,
    }
    if args.json:
        write_json(facts)
        return 0
    write(
        f"{len(found.rows):,} preferences in {args.output}; left out: {found.ties:,} requests whose answers "
        f"are equally good, {found.single:,} with one answer\n"
    )
    return 0


def weights(text: str) -> dict[str, float]:
    """Read `morgan` or `morgan=1,validity=0.2`."""
    found = {}
    for part in filter(None, text.split(",")):
        name, _, weight = part.partition("=")
        try:
            found[name.strip()] = float(weight or 1)
        except ValueError:
            raise UsageError(
                f"--metric has '{part}', and '{weight}' is no weight", hint="morgan=1,validity=0.2"
            ) from None
    return found


def checked_for(
    stage: StageEntry, data: TaskData, report: DataReport, tokenizer: str | None, max_length: int | None
) -> DataReport:
    """Add to a report what the stage could not learn from, and what would be too long for it."""
    if (max_length is None) != (tokenizer is None):
        raise UsageError("--tokenizer and --max-length go together: what counts tokens, and how many fit")
    size = _counter(tokenizer) if tokenizer else None
    findings, counts, rows = list(report.findings), dict(report.counts), dict(report.rows)
    for split in (split for split in data.task.splits() if rows.get(split)):
        for place, row in _learned(stage, data, split):
            found = _fault(stage, row, size, max_length)
            if found is None:
                continue
            finding = replace(
                found, file=str(data.task.data.source), expected=f"{found.expected} (row {place})"
            )
            counts[found.kind] = counts.get(found.kind, 0) + 1
            if counts[found.kind] == 1:
                findings.append(finding)
            if found.bad and split in rows:
                rows[split] -= 1
    return replace(report, rows=rows, findings=tuple(findings), counts=counts)


def _learned(stage: StageEntry, data: TaskData, split: str) -> Iterator[tuple[int, TrainRow]]:
    rows = data.prompts(split, None) if asks(stage) else data.rows(split, None)
    yield from enumerate(rows, start=1)


def _fault(
    stage: StageEntry, row: TrainRow, size: Callable[[TrainRow], int] | None, most: int | None
) -> Finding | None:
    """Return what is wrong with a row, or odd about it; nothing where it is as it should be."""
    if not isinstance(row, stage.rows):
        wanted = " or ".join(kind.__name__ for kind in stage.rows)
        return Finding("row", "", 0, f"a {wanted}", f"a {type(row).__name__}")
    if fault := fault_of(row):
        return Finding("row", "", 0, "a row to learn from", f"one that {fault}")
    if size is not None and most is not None and (tokens := size(row)) > most:
        return Finding("long", "", 0, f"up to {most} tokens", f"{tokens}", bad=False)
    return None


def _counter(name: str) -> Callable[[TrainRow], int]:
    """Return what counts the tokens of a row: what is asked, and the answer, the longer one of two."""
    try:
        from transformers import AutoTokenizer  # heavy, and needed only where lengths are asked for
    except ImportError as absent:
        raise MissingDependency("--tokenizer needs transformers", hint="pip install transformers") from absent
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise DataError(
            f"no tokenizer could be loaded from {name}: {str(error).splitlines()[0]}",
            hint="--tokenizer takes a folder or a hub id",
        ) from error

    def size(row: TrainRow) -> int:
        tokens = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in row.texts()]
        return sum(tokens) - (min(tokens[-2:]) if isinstance(row, Preference) else 0)

    return size
