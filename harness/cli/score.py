"""`score FILE…`: metrics of saved answers, with no model and no GPU."""

from __future__ import annotations

import argparse
import csv
import gc
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, MissingDependency, UsageError
from harness.api.example import Pairs, Score
from harness.api.metric import Metric, MetricEntry, Metrics
from harness.api.run import RunRecord
from harness.api.spec import DataSpec, RunSpec
from harness.api.workbench import TaskView
from harness.engine.plugin_manager import LoadedPlugin
from harness.engine.registry import Registered, Registry
from harness.files.finished import RECORD, read_record
from harness.scoring.answers import completions, pair, read
from harness.scoring.arguments import add_data_arguments
from harness.scoring.measure import metric_of, score_as_json, with_intervals
from harness.scoring.side_by_side import cores, measure_all

from .output import write_json
from .parser import add_verb
from .run_arguments import add_plugin_arguments, open_registry
from .tables import Table, print_table


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "score",
        "Score saved answers: JSON lines, MolT5's and LPM-24's tables, one answer a line, zip "
        "archives of these, or a run directory. Several files share the work on their references.",
        "run-bench score answers.txt --references references.txt --metrics bleu-4,rouge-l",
        "run-bench score runs/toy/toy/RUN --task toy --intervals",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="saved answers")
    parser.add_argument("--task", default="", help="score against a task's rows, with its metrics")
    parser.add_argument("--split", help="the task's split (default: test, or that of a run)")
    parser.add_argument("--metrics", default="", metavar="A,B", help="score with these")
    parser.add_argument(
        "--references", type=Path, metavar="FILE", help="references, in any of the same forms"
    )
    parser.add_argument(
        "--all-variants",
        action="store_true",
        help="also every other definition of each metric, and how it differs",
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="score rows without an answer as empty, and say so"
    )
    parser.add_argument(
        "--parts", action="store_true", help="also what a score is made of: languages, subjects, kinds"
    )
    parser.add_argument("--intervals", action="store_true", help="add 95 %% bootstrap intervals")
    parser.add_argument(
        "--per-example",
        type=Path,
        metavar="OUT",
        help="write each row's input, answer, reference and values as a table (.csv or .tsv)",
    )
    parser.add_argument("--reference", action="store_true", help="use nltk and rouge-score instead (slow)")
    parser.add_argument(
        "--processes",
        type=int,
        default=cores(),
        metavar="N",
        help="share several files among N processes (default: one a core)",
    )
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    add_data_arguments(parser)
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Score the files and print one table."""
    _use_wide_registers()
    gc.disable()  # nothing here leaves cycles, and looking for them among so many rows costs a tenth
    try:
        return _run(args)
    finally:
        gc.enable()


def _use_wide_registers() -> None:
    """Tell numpy's OpenBLAS of AVX-512, which it leaves unused in processors that it does not know."""
    # It reads this once, when numpy is imported. FCD's network, all matrix products, is half again as fast.
    with suppress(OSError):
        if " avx512dq " in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
            os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")


def _run(args: argparse.Namespace) -> int:
    if args.per_example and len(args.files) > 1:
        raise UsageError("--per-example writes the rows of one file", hint="score the files one by one")
    if args.processes < 1:
        raise UsageError(f"--processes is {args.processes}, and one is the least")
    registry = open_registry(args)
    asked = _asked(args, registry)
    found = measure_all(asked.rows, asked.metrics, args.processes)
    if args.intervals:
        found = [with_intervals(scores) for scores in found]
    if args.per_example:
        _write_rows(args.per_example, asked.rows[0], found[0])
    if args.json:
        _print_json(args.files, found, asked.notes)
    else:
        print_table(_table(args, asked, found))
    return 0


@dataclass(slots=True)
class Asked:
    """What is scored: the rows of each file, what was done to them, and with which metrics."""

    metrics: Metrics
    rows: list[Pairs]
    notes: list[list[str]]


def _asked(args: argparse.Namespace, registry: Registry) -> Asked:
    names = [name.strip() for name in args.metrics.split(",") if name.strip()]
    runs = [finished(path) for path in args.files]
    task = args.task
    if not task and not names and runs[0] is not None:
        task = str(runs[0].spec["task"])  # a run knows what it answered
    if task:
        return _of_task(args, task, registry, names, runs)
    if not names:
        raise UsageError("nothing says what to score with", hint="--metrics A,B or --task T; list metrics")
    metrics = _metrics(registry, names, args)
    known = read(args.references) if args.references else None
    wanted = not all(entry.reference_free for entry, _ in metrics.values())
    files = [read(path) for path in args.files]
    cache = {"shared": dict[str, Any]()}
    facts: dict[str, Any] = {"references": wanted, "allow_missing": args.allow_missing, "vocab": args.vocab}
    rows = [pair(file, known, cache=dict(cache), **facts) for file in files]
    return Asked(metrics, rows, [file.notes for file in files])


def _of_task(
    args: argparse.Namespace,
    task: str,
    registry: Registry,
    names: list[str],
    runs: Sequence[RunRecord | None],
) -> Asked:
    if len(args.data) > 1:
        raise UsageError("score takes one --data", hint="the folder of the task's rows")
    views: dict[str, TaskView] = {}  # files that were asked alike share one
    rows, notes = [], []
    for path, run in zip(args.files, runs, strict=True):
        alike = repr(_reading(run) if run is not None else None)
        if alike not in views:
            view = _view(args, task, registry, names, path, run)
            views[alike] = replace(view, vocab=args.vocab)
        file = read(path)
        rows.append(views[alike].answered(completions(file, views[alike], allow_missing=args.allow_missing)))
        notes.append(file.notes)
    near = registry.tasks.get(task).plugin
    metrics = next(iter(views.values())).metrics
    return Asked(_metrics(registry, list(metrics), args, near), rows, notes)


def _view(
    args: argparse.Namespace,
    task: str,
    registry: Registry,
    names: list[str],
    path: Path,
    run: RunRecord | None,
) -> TaskView:
    """Open the task as a run had it: on its rows, with its options, read as its model is."""
    # Here, because opening tasks takes much that scoring a file of its own does not need.
    from harness.engine.stage import reasoning_tags
    from harness.engine.values import from_mapping

    from .workbench import Desk

    source = args.data[0] if args.data else None
    if run is None or run.spec["task"] != registry.tasks.name_of(registry.tasks.get(task)):
        data = DataSpec(source=source or "sample", split=args.split or "test")
        return Desk(registry).open_task(task, data, metrics=names)
    spec = from_mapping(RunSpec, run.spec)
    data = replace(spec.data, source=source or spec.data.source, split=args.split or spec.data.split)
    tags = reasoning_tags(path, spec.generate.reasoning)
    view = Desk(registry).open_task(
        task, data, metrics=names, model=spec.model, options=spec.task_options, tags=tags
    )
    if not args.data and data.split == spec.data.split and view.digest != run.data_digest:
        raise DataError(
            f"{path} answered other rows ({run.data_digest}) than {data.source} has now ({view.digest})",
            hint="--data FOLDER names the folder of the rows that were answered",
        )
    return replace(view, examples=view.examples[: data.limit])


def finished(path: Path) -> RunRecord | None:
    """Return the record of a finished run, where a path is the directory of one."""
    from harness.engine.values import from_mapping  # here and above, because answers alone need no engine

    return from_mapping(RunRecord, read_record(path)) if (path / RECORD).is_file() else None


def _reading(run: RunRecord) -> list[Any]:
    return [run.data_digest, run.spec["task_options"], run.spec["model"], run.spec["generate"]["reasoning"]]


def _metrics(
    registry: Registry, names: Sequence[str], args: argparse.Namespace, near: LoadedPlugin | None = None
) -> Metrics:
    asked = list(names)
    if args.all_variants:
        bases = {name.partition("@")[0] for name in names}
        variants = [name for name in registry.metrics.names() if name.partition("@")[0] in bases]
        names = list(dict.fromkeys([*names, *variants]))
    if args.reference:
        # Here, because only this flag needs it.
        from harness.metrics.reference import metric

        return {name: (registry.metrics.get(name, near=near).entry, metric(name)) for name in names}
    return {
        name: _loaded(registry.metrics.get(name, near=near), optional=name not in asked) for name in names
    }


def _loaded(found: Registered[MetricEntry], *, optional: bool) -> tuple[MetricEntry, Metric]:
    """Load a metric; of a variant that nobody asked for by name only a note says what it would need."""
    try:
        return found.entry, found.load()
    except MissingDependency as error:
        if not optional:
            raise
        note = f"{error.message}; {error.hint}"
        return found.entry, lambda pairs: Score(found.entry.name, None, len(pairs), note=note)


def _table(args: argparse.Namespace, asked: Asked, found: Sequence[Mapping[str, Score]]) -> Table:
    metrics = asked.metrics
    table = Table("", ["metric", *(path.stem for path in args.files)])
    for name in dict.fromkeys(name for scores in found for name in scores):
        entry, _ = metrics[metric_of(name)]
        heading = name + ("" if entry.higher_is_better else " ↓") + (" *" if entry.silence_wins else "")
        table.rows.append([heading, *(_cell(scores.get(name), entry.scale) for scores in found)])
        if args.parts:
            table.rows += _parts([scores[name] for scores in found if name in scores], entry.scale)
    table.notes = list(_notes(args, asked, found))
    return table


def _parts(scores: Sequence[Score], scale: float) -> Iterator[list[str]]:
    for part in dict.fromkeys(part for score in scores for part in score.details):
        values = [score.details.get(part) for score in scores]
        yield [f"  {part}", *("–" if value is None else f"{value * scale:.4f}" for value in values)]


def _cell(score: Score | None, scale: float) -> str:
    if score is None or score.value is None:
        return "–"
    text = f"{score.value * scale:.4f}"
    if score.interval is None:
        return text
    return text + " [{:.2f}, {:.2f}]".format(*(end * scale for end in score.interval))


def _notes(args: argparse.Namespace, asked: Asked, found: Sequence[Mapping[str, Score]]) -> Iterable[str]:
    metrics = asked.metrics
    if any(entry.silence_wins for entry, _ in metrics.values()):
        yield "* under this definition saying nothing can beat being wrong"
    for path, scores, notes in zip(args.files, found, asked.notes, strict=True):
        prefix = f"{path.stem}: " if len(args.files) > 1 else ""
        yield from (prefix + note for note in notes)
        yield from (f"{prefix}{name}: {score.note}" for name, score in scores.items() if score.note)
    if args.all_variants:
        yield ""
        yield from (f"{name}: {entry.definition} [{entry.source}]" for name, (entry, _) in metrics.items())


def _print_json(
    files: Sequence[Path], found: Sequence[Mapping[str, Score]], notes: Sequence[Sequence[str]]
) -> None:
    whole = [
        {
            "file": str(path),
            "scores": {name: score_as_json(score) for name, score in scores.items()},
            "notes": list(said),
        }
        for path, scores, said in zip(files, found, notes, strict=True)
    ]
    write_json(whole if len(whole) > 1 else whole[0])


def _write_rows(path: Path, pairs: Pairs, scores: Mapping[str, Score]) -> None:
    columns = {name: score.per_example for name, score in scores.items() if score.per_example is not None}
    try:
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            table = csv.writer(file, delimiter="," if path.suffix == ".csv" else "\t", lineterminator="\n")
            table.writerow(["id", "input", "answer", "reference", *columns])
            for i, (example, prediction) in enumerate(pairs):
                values = ["" if v[i] is None else repr(v[i]) for v in columns.values()]
                texts = ["\n".join(example.inputs.values()), prediction.text, "\n".join(example.references)]
                table.writerow([example.id, *texts, *values])
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None
