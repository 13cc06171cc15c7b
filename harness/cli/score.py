"""`score FILE…`: metrics of saved answers, with no model and no GPU."""

from __future__ import annotations

import argparse
import csv
import gc
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, MissingDependency, UsageError
from harness.api.example import Pairs, Prediction, Score
from harness.api.metric import Metric, MetricEntry
from harness.engine.measure import score_as_json, score_pairs
from harness.engine.registry import Registered, Registry
from harness.scoring.arguments import add_data_arguments

from .run_arguments import add_plugin_arguments, open_registry
from .tables import Table, print_table

Metrics = Mapping[str, tuple[MetricEntry, Metric]]


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "score",
        description="Score saved answers: JSON lines, MolT5's and LPM-24's tables, one answer a line, zip "
        "archives of these, or a run directory. Several files share the work on their references.",
        allow_abbrev=False,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="saved answers")
    parser.add_argument("--task", default="", help="score against a task's rows, with its metrics")
    parser.add_argument("--split", default="test", help="the task's split")
    parser.add_argument("--metrics", default="", metavar="A,B", help="score with these")
    parser.add_argument(
        "--references", type=Path, metavar="FILE", help="references, in any of the same forms"
    )
    parser.add_argument(
        "--all-variants",
        action="store_true",
        help="also every other definition of each metric, and how it differs",
    )
    parser.add_argument("--intervals", action="store_true", help="add 95 %% bootstrap intervals")
    parser.add_argument(
        "--per-example",
        type=Path,
        metavar="OUT",
        help="write each row's input, answer, reference and values as a table (.csv or .tsv)",
    )
    parser.add_argument("--reference", action="store_true", help="use nltk and rouge-score instead (slow)")
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
    registry = open_registry(args)
    names, scored = _rows(args, registry)
    metrics = _metrics(registry, names, args)
    found = [score_pairs(pairs, metrics, intervals=args.intervals) for pairs in scored]
    if args.per_example:
        _write_rows(args.per_example, scored[0], found[0])
    if args.json:
        _print_json(args.files, found)
    else:
        print_table(_table(args, metrics, found))
    return 0


def _rows(args: argparse.Namespace, registry: Registry) -> tuple[list[str], list[Pairs]]:
    """Return the metrics that were asked for and the rows of each file."""
    names = [name.strip() for name in args.metrics.split(",") if name.strip()]
    shared: dict[str, Any] = {}
    if args.task:
        # Here, because opening tasks takes much that scoring a file of its own does not need.
        from .task_views import TaskViews

        view = TaskViews(registry, args.data, names, args.vocab)(args.task, args.split)
        return names or list(view.metrics), [_of_task(view, path, args.vocab, shared) for path in args.files]
    if not names:
        raise UsageError("nothing says what to score with", hint="--metrics A,B or --task T; list metrics")
    # Here, because only this verb reads such files, and numpy comes with them.
    from harness.metrics.files import pair, read

    references = read(args.references) if args.references else None
    return names, [
        pair(read(path), references, str(path), vocab=args.vocab, cache={"shared": shared})
        for path in args.files
    ]


def _of_task(view: Any, path: Path, vocab: Path | None, shared: dict[str, Any]) -> Pairs:
    file = path / "predictions.jsonl" if path.is_dir() else path
    from .task_views import hosted  # here, as in `_rows`

    outputs = hosted("foreign:import_foreign")(file, view, path.stem).outputs
    rows = []
    for example in view.examples:
        if example.id not in outputs:
            raise DataError(f"{path} has no answer to row {example.id} of {view.task}")
        said = outputs[example.id]
        answer = view.answer(example, said.text)
        rows.append((example, Prediction(example.id, answer, said.text, said.choice_scores)))
    return Pairs(rows, view.training_targets, vocab, {"shared": shared})


def _metrics(registry: Registry, names: Sequence[str], args: argparse.Namespace) -> Metrics:
    asked = list(names)
    if args.all_variants:
        bases = {name.partition("@")[0] for name in names}
        variants = [name for name in registry.metrics.names() if name.partition("@")[0] in bases]
        names = list(dict.fromkeys([*names, *variants]))
    if args.reference:
        # Here, because only this flag needs it.
        from harness.metrics.reference import metric

        return {name: (registry.metrics.get(name).entry, metric(name)) for name in names}
    return {name: _loaded(registry.metrics.get(name), optional=name not in asked) for name in names}


def _loaded(found: Registered[MetricEntry], *, optional: bool) -> tuple[MetricEntry, Metric]:
    """Load a metric; of a variant that nobody asked for by name only a note says what it would need."""
    try:
        return found.entry, found.load()
    except MissingDependency as error:
        if not optional:
            raise
        note = f"{error.message}; {error.hint}"
        return found.entry, lambda pairs: Score(found.entry.name, None, len(pairs), note=note)


def _table(args: argparse.Namespace, metrics: Metrics, found: Sequence[Mapping[str, Score]]) -> Table:
    table = Table("", ["metric", *(path.stem for path in args.files)])
    for name, (entry, _) in metrics.items():
        heading = name + ("" if entry.higher_is_better else " ↓") + (" *" if entry.silence_wins else "")
        table.rows.append([heading, *(_cell(scores[name], entry.scale) for scores in found)])
    table.notes = list(_notes(args, metrics, found))
    return table


def _cell(score: Score, scale: float) -> str:
    if score.value is None:
        return "–"
    text = f"{score.value * scale:.4f}"
    if score.interval is None:
        return text
    return text + " [{:.2f}, {:.2f}]".format(*(end * scale for end in score.interval))


def _notes(args: argparse.Namespace, metrics: Metrics, found: Sequence[Mapping[str, Score]]) -> Iterable[str]:
    if any(entry.silence_wins for entry, _ in metrics.values()):
        yield "* under this definition saying nothing can beat being wrong"
    for path, scores in zip(args.files, found, strict=True):
        prefix = f"{path.stem}: " if len(args.files) > 1 else ""
        yield from (f"{prefix}{name}: {score.note}" for name, score in scores.items() if score.note)
    if args.all_variants:
        yield ""
        yield from (f"{name}: {entry.definition} [{entry.source}]" for name, (entry, _) in metrics.items())


def _print_json(files: Sequence[Path], found: Sequence[Mapping[str, Score]]) -> None:
    whole = [
        {"file": str(path), "scores": {name: score_as_json(score) for name, score in scores.items()}}
        for path, scores in zip(files, found, strict=True)
    ]
    sys.stdout.write(json.dumps(whole if len(whole) > 1 else whole[0], indent=1, ensure_ascii=False) + "\n")


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
