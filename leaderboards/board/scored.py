"""A row's numbers, computed here from its answers: scores, intervals, paired resamples, health, samples."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
from harness import Example, Pairs, Prediction, Score, TaskView
from harness.scoring.answers import check_ids
from harness.scoring.clean_subset import CleanSubset, clean_subset
from harness.scoring.measure import RESAMPLES, SEED, measure, resample
from harness.scoring.statistics import percentiles

from ..intake.submission import Submission
from ..plain import digest
from .health import cost, health, signature

VERSION = 3  # of what is computed here; a change makes stored rows be computed anew
KEPT_RESAMPLES = 2_000
WORST, BEST = 10, 2  # samples on a row's card
TOOLKIT = ("numpy", "rdkit", "rapidfuzz")


@dataclass(frozen=True, slots=True)
class Scored:
    """What scoring one submission gave. `draws` has a line a metric in the order of `facts["drawn"]`."""

    facts: Mapping[str, Any]
    draws: NDArray[np.float32]
    samples: Sequence[Mapping[str, Any]] = ()


def toolkit() -> dict[str, str]:
    """Return the versions that numbers can depend on."""
    found = {"assay": harness.__version__, "python": platform.python_version()}
    for name in TOOLKIT:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def key_of(submission: Submission, view: TaskView) -> str:
    """Identify everything that a scored row depends on."""
    metrics = [[name, entry.version] for name, (entry, _) in view.metrics.items()]
    task = [view.name, view.task.version, view.digest, view.split, metrics]
    task += [view.task.prose] if view.task.reads_prose and view.task.prose else []
    settings = [VERSION, RESAMPLES, KEPT_RESAMPLES, SEED]
    return digest([submission.digest, dict(submission.about), task, settings, toolkit()])


def read_answers(submission: Submission, view: TaskView) -> Pairs:
    """Let the task read its answers; rows come in the task's order whatever the submission's was."""
    ids = [example.id for example in view.examples]
    check_ids(submission.outputs, ids, f"'{submission.name}'", view.name)
    return view.answered(submission.outputs)


def score(submission: Submission, view: TaskView) -> Scored:
    """Score a submission."""
    pairs = read_answers(submission, view)
    scores, draws = resample(measure(pairs, view.metrics))
    facts = {
        "schema": VERSION,
        "key": key_of(submission, view),
        "answers": {"sha256": submission.digest, "rows": len(pairs)},
        "scores": {name: _as_json(score, draws.get(name)) for name, score in scores.items()},
        "details": {name: found for name, score in scores.items() if (found := _details(score))},
        "drawn": list(draws),
        "health": health(pairs, submission.outputs, view),
        "clean": _clean(clean_subset(view, pairs)),
        "cost": cost(submission.about),
        "signature": signature(pairs),
        "toolkit": toolkit(),
    }
    kept = [drawn[:KEPT_RESAMPLES].astype(np.float32) for drawn in draws.values()]
    table = np.stack(kept) if kept else np.zeros((0, KEPT_RESAMPLES), np.float32)
    return Scored(facts, table, _samples(pairs, scores, view))


def _as_json(score: Score, draws: NDArray[np.float64] | None) -> dict[str, Any]:
    return {
        "value": score.value,
        "n": score.n,
        "interval": interval(draws),
        "version": score.version,
        "note": score.note,
    }


def _details(score: Score) -> dict[str, float]:
    """Return a score's parts, such as its value in each category, where there are at least two numbers."""
    parts = {str(k): float(v) for k, v in score.details.items() if isinstance(v, int | float)}
    return {k: v for k, v in parts.items() if math.isfinite(v)} if len(parts) > 1 else {}


def interval(draws: NDArray[Any] | None) -> list[float] | None:
    """Return the middle 95 % of a score's resamples."""
    bounds = None if draws is None else percentiles(draws.astype(np.float64))
    return None if bounds is None else list(bounds)


def _clean(found: CleanSubset) -> dict[str, Any]:
    facts: dict[str, Any] = {"overlap": dict(sorted(found.counts.items())), "rows": found.clean}
    return facts | ({"scores": dict(found.scores)} if found.scores else {})


def _samples(pairs: Pairs, scores: Mapping[str, Score], view: TaskView) -> list[dict[str, Any]]:
    """Return rows for the card: the worst by the mean of what scores single rows, then a few of the best."""
    rulers = [
        scores[name]
        for name, (entry, _) in view.metrics.items()
        if scores[name].per_example is not None and entry.higher_is_better and entry.range == (0.0, 1.0)
    ]
    if not rulers:
        return []
    marks = [math.fsum(_at(ruler, row) or 0.0 for ruler in rulers) for row in range(len(pairs))]
    order = sorted(range(len(pairs)), key=lambda row: (marks[row], pairs[row][0].id))
    chosen = order if len(order) <= WORST + BEST else order[:WORST] + order[-BEST:]
    return [_sample(row, *pairs[row], scores, view) for row in chosen]


def _at(score: Score, row: int) -> float | None:
    return score.per_example[row] if score.per_example is not None else None


def _sample(
    row: int, example: Example, prediction: Prediction, scores: Mapping[str, Score], view: TaskView
) -> dict[str, Any]:
    more = {"further": [again.text for again in prediction.repeats]} if prediction.repeats else {}
    return {
        "id": example.id,
        "inputs": dict(example.inputs),
        "references": list(example.references),
        "raw": prediction.raw,
        "answer": prediction.text,
        **more,
        "picture": picture(view, example, prediction.text),
        "scores": {n: _at(s, row) for n, s in scores.items() if s.per_example is not None},
    }


def picture(view: TaskView, example: Example, answer: str) -> str:
    """Return a task's drawing of a row beside an answer; nothing where it draws none or fails to."""
    try:
        return view.task.picture(example, answer)
    except Exception:  # noqa: BLE001  the text beside a picture says the same; scores must not fall with it
        return ""
