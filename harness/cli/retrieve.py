"""`retrieve`: how well retrievers find the evidence of a task's questions, side by side."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.api.errors import UsageError
from harness.api.example import Example, Pairs, Prediction, Score
from harness.api.retrieval import Retriever
from harness.api.spec import DataSpec
from harness.engine.data import TaskData, open_task
from harness.engine.progress import choose_progress
from harness.engine.registry import Registered, Registry
from harness.files.rows import write_rows
from harness.scoring.measure import measure, with_intervals

from .results import SAMPLE
from .run_arguments import add_plugin_arguments, open_registry
from .tables import Table, print_table

DEPTH = 20  # passages of a ranking that are kept


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "retrieve",
        description="Rank the passages of a task's questions with one or several retrievers, and say how "
        "well each finds the evidence that annotators marked: a table with 95 % intervals, and a paired "
        "test of each retriever against the first.",
        epilog="example: run-bench retrieve --task qasper --retriever tfidf,bm25,minilm,bm25+minilm. Kept "
        "rankings feed a run: --task qasper/recalled --set task.retriever=kept:FILE",
        allow_abbrev=False,
    )
    parser.add_argument("--task", required=True, help="a task whose rows have passages and evidence")
    parser.add_argument(
        "--retriever",
        required=True,
        metavar="A,B",
        help="run-bench list retrievers; A+B fuses two",
    )
    parser.add_argument("--data", default="sample", metavar="SOURCE", help="sample, hub, or a folder or file")
    parser.add_argument("--split", default="test", help="the split that is asked (default: test)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N questions")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="keep each ranking there, as RETRIEVER.jsonl"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Rank, score, test, print."""
    registry = open_registry(args)
    names = [name.strip() for name in args.retriever.split(",") if name.strip()]
    retrievers = {name: registry.retriever(name) for name in names}
    data = open_task(registry, find(registry, args.task), DataSpec(args.data, split=args.split), model="")
    examples = data.scored(args.split, args.limit)
    progress = choose_progress(quiet=args.quiet or args.json)
    scores: dict[str, dict[str, Score]] = {}
    for name, retriever in retrievers.items():
        progress.start(f"{name} on {data.name}")
        found = ranked(data, retriever, examples)
        progress.finish()
        if args.output:
            keep(args.output / f"{name.replace('/', '_')}.jsonl", found)
        scores[name] = score(registry, data, found)
    if args.json:
        sys.stdout.write(json.dumps(as_json(scores), indent=1) + "\n")
        return 0
    print_table(table(registry, data, scores, len(examples)))
    return 0


def find(registry: Registry, name: str) -> Registered[Any]:
    """Find the task itself, or the one beside it that is about finding passages."""
    found = registry.tasks.get(name)
    beside = [item for item in registry.tasks if item.plugin is found.plugin]
    for item in [found, *beside]:
        if "retrieval" in item.entry.tags:
            return item
    able = [item.entry.name for item in registry.tasks if "retrieval" in item.entry.tags]
    raise UsageError(f"task '{name}' has no passages to find", hint="there are: " + ", ".join(able))


Found = list[tuple[Example, Prediction]]


def ranked(data: TaskData, retriever: Retriever, examples: Sequence[Example]) -> Found:
    """Rank each question's passages."""
    from harness.retrieval.ranking import rank  # here, because --help needs no numpy

    rankings = rank(retriever, [data.request(example) for example in examples], DEPTH)
    return [
        (example, Prediction(example.id, "", evidence=names))
        for example, (_, names) in zip(examples, rankings, strict=True)
    ]


def keep(path: Path, found: Found) -> None:
    """Write rankings as the retriever `kept:FILE` reads them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for example, prediction in found:
        texts = {passage.id: passage.text for passage in example.passages}
        rows.append(
            {
                "id": example.id,
                "question": example.inputs["question"],
                "found": [texts[name] for name in prediction.evidence],
            }
        )
    write_rows(path, rows)


def score(registry: Registry, data: TaskData, found: Found) -> dict[str, Score]:
    """Compute the task's metrics with their intervals."""
    metrics = registry.load_metrics(data.task.metrics, near=data.registered.plugin)
    return with_intervals(measure(Pairs(found), metrics))


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


def table(registry: Registry, data: TaskData, scores: dict[str, dict[str, Score]], questions: int) -> Table:
    """Build the table: a row a retriever, a column a metric; a star where it differs from the first."""
    first = next(iter(scores))
    metrics = list(scores[first])
    tests = against_first(scores)
    kind = SAMPLE if data.sample else f"data: {data.task.data.source}"
    drawn = Table(f"{data.name} ({questions} questions; {kind})", ["retriever", *metrics])
    for name, row in scores.items():
        drawn.rows.append(
            [name, *(_cell(row[metric], tests.get(name, {}).get(metric)) for metric in metrics)]
        )
    for column, metric in enumerate(metrics, start=1):
        best = max(row[metric].value or 0.0 for row in scores.values())
        drawn.best |= {
            (number, column) for number, row in enumerate(scores.values()) if row[metric].value == best
        }
    drawn.notes.append("±: half the width of the 95 % bootstrap interval over questions")
    if tests:
        drawn.notes.append(
            f"*: differs from {first} (paired permutation test, p < 0.05 after Holm's correction)"
        )
    return drawn


def _cell(score: Score, p_value: float | None) -> str:
    if score.value is None:
        return "–"
    star = "*" if p_value is not None and p_value < 0.05 else ""
    if score.interval is None:
        return f"{100 * score.value:.1f}{star}"
    return f"{100 * score.value:.1f}{star} ±{50 * (score.interval[1] - score.interval[0]):.1f}"
