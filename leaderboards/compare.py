"""Two sets of answers to the same rows: how much they differ, how surely, and where most."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import DataError, Pairs, Score, TaskView, UsageError, nearest
from harness.files.finished import RECORD
from harness.metrics.statistics import Sums
from harness.scoring.measure import measure, metric_of
from harness.scoring.statistics import holm, paired_bootstrap, permutation_test

from .board.ranking import ALPHA
from .board.scored import read_answers
from .intake.from_run import from_run
from .intake.submission import ABOUT, Submission, read_submission
from .intake.tasks import OpenTask, reading_of
from .plain import mapping

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """How two systems differ on one metric; `a` minus `b` in the metric's own direction."""

    metric: str
    a: float | None
    b: float | None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    p_adjusted: float | None = None  # for having looked at all the metrics (Holm)
    test: str = ""
    effect: float | None = None  # mean difference of rows over its standard deviation
    better: int | None = None  # rows on which a is better, equal, worse
    equal: int | None = None
    worse: int | None = None
    higher_is_better: bool = True
    scale: float = 1.0
    note: str = ""

    @property
    def verdict(self) -> str:
        """Say which of the two is better, if that can be said."""
        if self.p_adjusted is None or self.difference is None:
            return "not tested"
        if self.p_adjusted >= ALPHA or self.difference == 0:
            return "cannot be told apart"
        return "A is better" if (self.difference > 0) == self.higher_is_better else "B is better"


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome of a comparison."""

    a: str
    b: str
    task: str
    sample: bool
    rows: int
    differences: Sequence[Difference]
    examples: Sequence[Mapping[str, Any]]
    notes: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        facts = asdict(self)
        facts["differences"] = [asdict(d) | {"verdict": d.verdict} for d in self.differences]
        return facts


def read_any(path: Path) -> Submission:
    """Read a run or a submission."""
    if (path / RECORD).is_file():
        return from_run(path)
    if path.is_dir() and not (path / ABOUT).is_file():
        raise DataError(
            f"{path} is no finished run and no submission", hint=f"it has no {RECORD} and no {ABOUT}"
        )
    return read_submission(path)


def compare(a: Path, b: Path, open_task: OpenTask, metric: str = "") -> Compared:
    """Compare two runs or submissions."""
    one, other = read_any(a), read_any(b)
    notes = _check(one, other)
    data = str(mapping(one.about["data"]).get("digest", ""))
    view = open_task(one.task, str(one.about["split"]), data, reading=reading_of(one.about))
    others = open_task(one.task, str(one.about["split"]), data, reading=reading_of(other.about))
    if metric and metric not in view.metrics:
        raise UsageError(f"{view.name} is not scored with '{metric}'", hint=nearest(metric, view.metrics))
    view, left_out = _common(view, one, other)
    notes += left_out
    if metric:
        view = replace(view, metrics={metric: view.metrics[metric]})
    others = replace(view, read=others.read)
    pairs = [read_answers(_cut(made, seen), seen) for made, seen in ((one, view), (other, others))]
    scores = [measure(found, view.metrics) for found in pairs]
    shared = [name for name in scores[0] if name in scores[1]]
    differences = _adjusted([_difference(name, scores[0][name], scores[1][name], view) for name in shared])
    examples = _examples(pairs, scores, view)
    names = _names(one, other, a, b)
    return Compared(*names, view.name, view.sample, len(view.examples), differences, examples, notes)


def _check(one: Submission, other: Submission) -> list[str]:
    """Refuse what answers other rows; mention what else differs."""
    for key in ("task", "split", "task_version"):
        if one.about.get(key) != other.about.get(key):
            values = f"{one.about.get(key)} and {other.about.get(key)}"
            raise DataError(f"the two cannot be compared: they answer {key.replace('_', ' ')} {values}")
    digests = [mapping(made.about["data"]).get("digest") for made in (one, other)]
    if None not in digests and digests[0] != digests[1]:
        raise DataError(f"the two cannot be compared: they answer other data, {digests[0]} and {digests[1]}")
    differ = one.about.get("prompt_digest") != other.about.get("prompt_digest")
    return ["they were asked with different prompts"] if differ else []


def _common(view: TaskView, one: Submission, other: Submission) -> tuple[TaskView, list[str]]:
    examples = [e for e in view.examples if e.id in one.outputs and e.id in other.outputs]
    if not examples:
        raise DataError("the two have no row in common")
    left = max(len(one.outputs), len(other.outputs)) - len(examples)
    notes = [f"{left} rows that only one of them answers were left out"] if left else []
    if len(examples) < len(view.examples) and not left:
        notes.append(f"both answer only {len(examples)} of {len(view.examples)} rows")
    return replace(view, examples=examples), notes


def _cut(submission: Submission, view: TaskView) -> Submission:
    return replace(submission, outputs={e.id: submission.outputs[e.id] for e in view.examples})


def _names(one: Submission, other: Submission, a: Path, b: Path) -> tuple[str, str]:
    return (
        (one.name, other.name)
        if one.name != other.name
        else (f"{one.name} {a.name}", f"{other.name} {b.name}")
    )


def _difference(name: str, a: Score, b: Score, view: TaskView) -> Difference:
    entry = view.metrics[metric_of(name)][0]
    facts: dict[str, Any] = {"higher_is_better": entry.higher_is_better, "scale": entry.scale}
    if a.value is None or b.value is None:
        return Difference(name, a.value, b.value, note=a.note or b.note, **facts)
    facts["difference"] = a.value - b.value
    facts |= _row_facts(a, b, higher=entry.higher_is_better)
    try:
        bootstrap = paired_bootstrap(a, b)
    except UsageError as error:
        return Difference(name, a.value, b.value, note=error.message, **facts)
    exchange = isinstance(a.resample, Sums) or a.resample is None
    tested = permutation_test(a, b) if exchange else bootstrap
    test = "permutation" if exchange else "bootstrap"
    return Difference(
        name, a.value, b.value, interval=bootstrap.interval, p_value=tested.p_value, test=test, **facts
    )


def _row_facts(a: Score, b: Score, *, higher: bool) -> dict[str, Any]:
    if a.per_example is None or b.per_example is None:
        return {}
    gaps = [
        x - y for x, y in zip(a.per_example, b.per_example, strict=True) if x is not None and y is not None
    ]
    sign = 1 if higher else -1
    spread = statistics.stdev(gaps) if len(gaps) > 1 else 0.0
    return {
        "better": sum(sign * gap > 0 for gap in gaps),
        "equal": sum(gap == 0 for gap in gaps),
        "worse": sum(sign * gap < 0 for gap in gaps),
        "effect": statistics.fmean(gaps) / spread if spread > 0 else None,
    }


def _adjusted(found: Sequence[Difference]) -> list[Difference]:
    """Correct the p-values for all metrics that were tested."""
    tested = [d for d in found if d.p_value is not None]
    adjusted = dict(zip((d.metric for d in tested), holm([d.p_value or 0.0 for d in tested]), strict=True))
    return [replace(d, p_adjusted=adjusted.get(d.metric)) for d in found]


def _examples(
    pairs: Sequence[Pairs], scores: Sequence[Mapping[str, Score]], view: TaskView
) -> list[dict[str, Any]]:
    """Return the rows on which the two differ most by the first metric that scores rows, either way."""
    for name in view.metrics:
        a, b = scores[0][name].per_example, scores[1][name].per_example
        if a is None or b is None:
            continue
        gaps = [(x or 0.0) - (y or 0.0) for x, y in zip(a, b, strict=True)]
        order = sorted(range(len(gaps)), key=lambda i: (-abs(gaps[i]), view.examples[i].id))
        return [
            {
                "id": view.examples[i].id,
                "metric": name,
                "inputs": dict(view.examples[i].inputs),
                "reference": next(iter(view.examples[i].references), ""),
                "a": pairs[0][i][1].text,
                "b": pairs[1][i][1].text,
                "score_a": a[i],
                "score_b": b[i],
            }
            for i in order[:SHOWN]
            if gaps[i] and not math.isnan(gaps[i])
        ]
    return []
