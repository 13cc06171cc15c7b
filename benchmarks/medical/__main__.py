"""Letters read out of the answers of GPT-3.5 and GPT-4 to MIRAGE's questions, beside MIRAGE's own reading.

python -m benchmarks.medical ../shared/data/mirage
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import report
from harness import Example, Pairs, Prediction
from harness.metrics import letters

METHOD = """Each file holds one system's answers to one set. `origin` counts as MIRAGE's script does: what it
cannot read is an answer A. `by luck` are the rows that it has right in that way. `ours` guesses nothing: what
declines or cannot be read is wrong. Ours is at least the origin without its luck in every file; where it is
below the origin, luck is the whole of the difference. `declined` are answers such as "none of the above";
`unread` also holds empty and filtered answers."""


def main(folder: Path) -> None:
    """Score every file and write the table."""
    questions = {(row["dataset"], row["id"]): row for row in _rows(folder / "questions.jsonl.gz")}
    files = sorted(path for path in folder.glob("*.jsonl.gz") if path.name != "questions.jsonl.gz")
    report.write(
        "medical",
        "Reading letters out of real answers",
        [_measured(path, questions) for path in files],
        command=f"python -m benchmarks.medical {folder}",
        method=METHOD,
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _measured(path: Path, questions: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    rows = []
    for row in _rows(path):
        right = questions[row["dataset"], row["id"]]["answer"]
        rows.append((Example(row["id"], {}, (right,)), Prediction(row["id"], "".join(row["answers"][:1]))))
    pairs = Pairs(rows)
    origin, ours = letters.accuracy_letter_mirage(pairs), letters.accuracy_letter(pairs)
    read = ours.details["parse-rate"] or 0.0
    return {
        "file": path.name.removesuffix(".jsonl.gz"),
        "rows": len(rows),
        "origin": _percent(origin.value),
        "by luck": round((origin.details["right by falling back"] or 0.0) * len(rows)),
        "ours": _percent(ours.value),
        "of what was read": _percent(ours.details["right of what was read"]),
        "fell back": round((origin.details["fell back to A"] or 0.0) * len(rows)),
        "unread": round((1 - read) * len(rows)),
        "declined": round((letters.abstention(pairs).value or 0.0) * len(rows)),
    }


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
