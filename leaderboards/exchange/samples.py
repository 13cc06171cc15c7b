"""A row's answers one by one, each with its score by each metric that scores single rows."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness import Completion, DataError, Example, Prediction, Score, TaskView
from harness.scoring.measure import measure

from ..board.scored import read_answers
from ..board.store import Store
from ..intake.tasks import OpenTask, reading_of
from .standing import Standing, result_id

SAME = 1e-9
LEFT_OUT = "input and reference are left out; sample_hash is the SHA-256 of the two, one after the other"
ANSWER = "answer"  # what else was kept of an answer, for whoever scores it again


def judged(one: Standing, store: Store, open_task: OpenTask, *, with_rows: bool) -> Iterator[dict[str, Any]]:
    """Yield each answer with each score; the row of the data itself is shown where it may be."""
    if (submission := store.submission(one.folder)) is None:
        raise DataError("only the hash of its answers is kept")
    about = submission.about
    view = open_task(
        submission.task, str(about["split"]), str(one.table["digest"]), reading=reading_of(about)
    )
    pairs = read_answers(submission, view)
    shown = view.sample or with_rows
    answers = [
        _asked(example, view, shown=shown)
        | _answered(prediction, said := submission.outputs[example.id], view)
        | {"metadata": _kept(said) | ({} if shown else {"rows": LEFT_OUT})}
        for example, prediction in pairs
    ]
    for metric, values in _by_metric(one, measure(pairs, view.metrics)):
        for answer, value in zip(answers, values, strict=True):
            if value is not None and math.isfinite(value):
                yield answer | _judgement(one, metric, value)


def _by_metric(
    one: Standing, scores: Mapping[str, Score]
) -> Iterator[tuple[Mapping[str, Any], tuple[float | None, ...]]]:
    """Yield the values of single rows, of which the whole must be what the board holds."""
    for metric, stored in one.scores():
        score = scores.get(metric["name"])
        if score is None or score.per_example is None:
            continue
        if score.value is None or not math.isclose(score.value, stored["value"], rel_tol=SAME, abs_tol=SAME):
            raise DataError(
                f"{metric['name']} is not what the board holds",
                hint="run-bench leaderboard scores its rows anew",
            )
        yield metric, score.per_example


def _asked(example: Example, view: TaskView, *, shown: bool) -> dict[str, Any]:
    """Return a row of the data, or where it is not shown only the hash of its input and references."""
    request = view.request(example)
    raw = "\n".join([*(message.text for message in request.messages), request.prompt])
    sha256 = hashlib.sha256((raw + "".join(example.references)).encode(errors="surrogatepass")).hexdigest()
    facts: dict[str, Any] = {"raw": raw, "reference": list(example.references)}
    if example.choices:
        facts["choices"] = list(example.choices)
    return {
        "sample_id": example.id,
        "sample_hash": sha256,
        "interaction_type": "single_turn",
        "input": facts if shown else {"raw": "", "reference": []},
    }


def _answered(prediction: Prediction, said: Completion, view: TaskView) -> dict[str, Any]:
    return {
        "output": {"raw": [said.text]},
        "messages": None,
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": prediction.text,
                "extraction_method": f"the reader of {view.name}, version {view.task.version}",
                "is_terminal": True,
            }
        ],
    }


def _kept(said: Completion) -> dict[str, str]:
    """Return what else is kept of an answer, as the layout's texts, so that it can be scored again."""
    facts: dict[str, Any] = {"finish": said.finish, "choice_scores": said.choice_scores}
    facts = {key: value for key, value in facts.items() if value}
    if said.evidence is not None:
        facts["evidence"] = said.evidence
    return {ANSWER: json.dumps(facts, sort_keys=True)} if facts else {}


def _judgement(one: Standing, metric: Mapping[str, Any], value: float) -> dict[str, Any]:
    """Return a score; an answer is correct where it has the best value that its metric can give."""
    best = metric["range"][1 if metric["higher_is_better"] else 0]
    return {
        "evaluation_result_id": result_id(one, metric["name"]),
        "evaluation": {"score": value, "is_correct": value == best},
    }
