"""`retrieve`: how well retrievers find the evidence of a task's questions, side by side."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.api import (
    DataError,
    DataSpec,
    Example,
    Prediction,
    Retriever,
    Score,
    TaskView,
    UsageError,
    Verb,
    Workbench,
)
from harness.api.notice import SAMPLE
from harness.files.rows import write_rows

DEPTH = 20  # passages of a ranking that are kept


class Retrieve(Verb):
    """Rank the passages of a task's questions with one or several retrievers, side by side.

    It says how well each finds the evidence that annotators marked: a table with 95 % intervals, and a
    paired test of each retriever against the first. Kept rankings feed a run: --task qasper/recalled --set
    task.retriever=kept:FILE
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the verb."""
        parser.add_argument("--task", required=True, help="a task whose rows have passages and evidence")
        parser.add_argument(
            "--retriever", required=True, metavar="A,B", help="run-bench list retrievers; A+B fuses two"
        )
        parser.add_argument(
            "--data", default="sample", metavar="SOURCE", help="sample, hub, or a folder or file"
        )
        parser.add_argument("--split", default="test", help="the split that is asked (default: test)")
        parser.add_argument("--limit", type=int, metavar="N", help="only the first N questions")
        parser.add_argument(
            "--output", type=Path, metavar="DIR", help="keep each ranking there, as RETRIEVER.jsonl"
        )
        parser.add_argument("--quiet", action="store_true", help="no progress")
        parser.add_argument("--json", action="store_true", help="print the scores as JSON")

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Rank, score, test, print."""
        if args.limit is not None and args.limit < 1:
            raise UsageError(f"--limit is {args.limit}, it must be at least 1")
        names = list(dict.fromkeys(name.strip() for name in args.retriever.split(",") if name.strip()))
        if not names:
            raise UsageError("--retriever names none", hint="run-bench list retrievers")
        retrievers = {name: bench.retriever(name) for name in names}
        view = bench.open_task(find(bench, args.task), DataSpec(args.data, split=args.split))
        examples = view.examples[: args.limit]
        progress = bench.progress(quiet=args.quiet or args.json)
        scores: dict[str, dict[str, Score]] = {}
        for name, retriever in retrievers.items():
            progress.start(f"{name} on {view.name}")
            try:
                found = ranked(view, retriever, examples)
            finally:
                progress.finish()
            if args.output:
                keep(args.output / f"{name.replace('/', '_')}.jsonl", found)
            scores[name] = score(view, found)
        if args.json:
            bench.write_json(as_json(scores))
        else:
            show(bench, view, args.data, scores, len(examples))
        return 0


def find(bench: Workbench, name: str) -> str:
    """Find the task itself, or the one of its family that is about finding passages."""
    (first, *_) = bench.expand(name) or [name]
    able = bench.tagged("retrieval")
    family = first.partition("/")[0]
    for task in able:
        if task in (name, first) or task.partition("/")[0] == family:
            return task
    raise UsageError(f"task '{name}' has no passages to find", hint="there are: " + ", ".join(able))


Found = list[tuple[Example, Prediction]]


def ranked(view: TaskView, retriever: Retriever, examples: Sequence[Example]) -> Found:
    """Rank each question's passages."""
    from .ranking import rank  # here, because --help needs no numpy

    rankings = rank(retriever, [view.request(example) for example in examples], DEPTH)
    return [
        (example, Prediction(example.id, "", evidence=names))
        for example, (_, names) in zip(examples, rankings, strict=True)
    ]


def keep(path: Path, found: Found) -> None:
    """Write rankings as the retriever `kept:FILE` reads them."""
    rows = []
    for example, prediction in found:
        texts = {passage.id: passage.text for passage in example.passages}
        question = example.inputs["question"]
        rows.append(
            {"id": example.id, "question": question, "found": [texts[name] for name in prediction.evidence]}
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_rows(path, rows)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}", hint="--output DIR") from error


def score(view: TaskView, found: Found) -> dict[str, Score]:
    """Compute the task's metrics with their intervals."""
    from harness.scoring.measure import measure, with_intervals  # here, as in `ranked`

    return with_intervals(measure(view.pairs(found), view.metrics))


def against_first(scores: dict[str, dict[str, Score]]) -> dict[str, dict[str, float]]:
    """Return, for each retriever but the first, the p-value of each metric, corrected for all of them."""
    from harness.scoring.statistics import holm, permutation_test  # here, because --help needs no numpy

    first, *others = scores
    tests = [(name, metric) for name in others for metric in scores[first]]
    values = [permutation_test(scores[name][metric], scores[first][metric]).p_value for name, metric in tests]
    corrected: dict[str, dict[str, float]] = {name: {} for name in others}
    for (name, metric), value in zip(tests, holm(values), strict=True):
        corrected[name][metric] = value
    return corrected


def as_json(scores: dict[str, dict[str, Score]]) -> dict[str, Any]:
    """Return everything as JSON."""
    tests = against_first(scores)
    return {
        name: {
            metric: {
                "value": found.value,
                "interval": found.interval,
                "n": found.n,
                "p_against_first": tests.get(name, {}).get(metric),
            }
            for metric, found in row.items()
        }
        for name, row in scores.items()
    }


def show(
    bench: Workbench, view: TaskView, source: str, scores: dict[str, dict[str, Score]], questions: int
) -> None:
    """Print a row a retriever, a column a metric; a star where it differs from the first."""
    first, *others = scores
    metrics = list(scores[first])
    tests = against_first(scores)
    rows = [
        [name, *(_cell(row[metric], tests.get(name, {}).get(metric)) for metric in metrics)]
        for name, row in scores.items()
    ]
    notes = ["±: half the width of the 95 % bootstrap interval over questions"]
    if others:
        notes.append(f"*: differs from {first} (paired permutation test, p < 0.05 after Holm's correction)")
    kind = SAMPLE if view.sample else f"data: {source}"
    title = f"{view.name} ({questions} questions; {kind})"
    bench.show(title, ["retriever", *metrics], rows, notes=notes, best=_best(scores, metrics))


def _best(scores: Mapping[str, Mapping[str, Score]], metrics: Sequence[str]) -> set[tuple[int, int]]:
    found = set()
    for column, metric in enumerate(metrics, start=1):
        best = max(row[metric].value or 0.0 for row in scores.values())
        found |= {(line, column) for line, row in enumerate(scores.values()) if row[metric].value == best}
    return found


def _cell(score: Score, p_value: float | None) -> str:
    if score.value is None:
        return "–"
    star = "*" if p_value is not None and p_value < 0.05 else ""
    if score.interval is None:
        return f"{100 * score.value:.1f}{star}"
    return f"{100 * score.value:.1f}{star} ±{50 * (score.interval[1] - score.interval[0]):.1f}"
