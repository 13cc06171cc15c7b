"""Letters read out of the answers of GPT-3.5 and GPT-4 to MIRAGE's questions, beside MIRAGE's own reading."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import report
from harness import Example, Pairs, Prediction, Score
from harness.metrics import letters as metrics
from harness.scoring.alphabet import LETTERS
from harness.scoring.fields import answer_fields
from harness.scoring.origins import letter_mirage

DECLINED, NO_CHOICE, NOTHING, OTHER = "declined", "no such letter", "said nothing", "something else"
READ = "read otherwise"
KINDS = (DECLINED, NO_CHOICE, NOTHING, OTHER, READ)
METHOD = """Each file holds one system's answers to one set. `origin` counts as MIRAGE's script does
(`accuracy-letter@mirage`): what it cannot read is an answer A. `ours` (`accuracy-letter`) guesses
nothing: what declines or cannot be read is wrong. `by luck` are the rows that the origin has right only
because it fell back to A, by what the system said: it declined (such as "none of the above"), named a
letter that no choice has (such as "E. seek further advice"), said something else, or said nothing, which
holds answers that a filter took and errors of the connection. `read otherwise` are rows that the origin
reads and has right and ours does not. Both counts differ by luck alone. `unread` counts rows whose
choices ours cannot tell."""


def letters(folder: Path) -> None:
    """Score every file and write the table."""
    questions = {(row["dataset"], row["id"]): row for row in _rows(folder / "questions.jsonl.gz")}
    files = sorted(path for path in folder.glob("*.jsonl.gz") if path.name != "questions.jsonl.gz")
    report.write(
        "medical-letters",
        "Reading letters out of real answers",
        [_measured(path, questions) for path in files],
        command="python -m benchmarks.medical letters DATA",
        method=METHOD,
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _measured(path: Path, questions: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    rows = []
    for row in _rows(path):
        question = questions[row["dataset"], row["id"]]
        example = Example(row["id"], {}, (question["answer"],), {"options": len(question["options"])})
        rows.append((example, Prediction(row["id"], "".join(row["answers"][:1]))))
    pairs = Pairs(rows)
    origin, ours = metrics.accuracy_letter_mirage(pairs), metrics.accuracy_letter(pairs)
    only_origin = [row for row, one, two in zip(rows, *_of_rows(origin, ours), strict=True) if one > two]
    kinds = Counter(_kind(*row) for row in only_origin)
    return {
        "file": path.name.removesuffix(".jsonl.gz"),
        "rows": len(rows),
        "origin": _percent(origin.value),
        "ours": _percent(ours.value),
        "of what was read": _percent(ours.details["right of what was read"]),
        "origin fell back": round((origin.details["fell back to A"] or 0.0) * len(rows)),
        "ours unread": round((1 - (ours.details["parse-rate"] or 0.0)) * len(rows)),
        "by luck": round((origin.details["right by falling back"] or 0.0) * len(rows)),
        **{kind: kinds[kind] for kind in KINDS},
    }


def _of_rows(*scores: Score) -> Iterator[Sequence[float]]:
    for score in scores:
        assert score.per_example is not None
        yield [value or 0.0 for value in score.per_example]


def _kind(example: Example, prediction: Prediction) -> str:
    """Say what stands in an answer that the origin alone has right."""
    if letter_mirage(prediction.text):
        return READ
    found = metrics.reading(example, prediction)
    if found.declined:
        return DECLINED
    if found.letters:
        return NO_CHOICE if LETTERS.index(found.letters[0]) >= example.meta["options"] else READ
    return OTHER if any(field.strip() for field in answer_fields(prediction.text)) else NOTHING


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"
