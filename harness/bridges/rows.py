"""A split's rows as other programs read them: one JSON object a line, with the exact prompt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.api.errors import DataError
from harness.api.example import Completion, Example, Prediction, Request
from harness.files.writing import write

NO_ANSWER = -1


@dataclass(frozen=True, slots=True)
class Asked:
    """How a task asks and reads: what a row is made of."""

    request: Callable[[Example], Request]
    read: Callable[[Example, Completion], Prediction]


@dataclass(frozen=True, slots=True)
class Facts:
    """What others must know of a task besides its rows. `made_up` rows stand for no published data."""

    name: str
    summary: str
    version: str
    kind: str
    licence: str
    citation: str
    homepage: str
    made_up: bool

    @property
    def title(self) -> str:
        """The name under which the rows travel."""
        return f"{self.name} (made-up sample)" if self.made_up else self.name


@dataclass(frozen=True, slots=True)
class Split:
    """A file of rows that was written."""

    name: str
    path: Path
    sha256: str
    size: int
    rows: int
    spaced: bool  # whether every prompt ends in white space, where an answer follows at once
    dialogues: bool  # whether a row has turns before its prompt
    unanswered: int  # rows of which no choice is right


def write_split(name: str, examples: Iterable[Example], asked: Asked, folder: Path) -> Split:
    """Write a split's rows; the same rows always give the same bytes."""
    rows = [_row(example, asked) for example in examples]
    if not rows:
        raise DataError(f"the split '{name}' has no row")
    data = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows).encode()
    path = folder / f"{name}.jsonl"
    write(path, data)
    spaced = all(row["prompt"][-1:].isspace() for row in rows)
    return Split(
        name,
        path,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        rows=len(rows),
        spaced=spaced,
        dialogues=any(row["messages"] for row in rows),
        unanswered=sum(row["answer"] == NO_ANSWER for row in rows),
    )


def check_answered(facts: Facts, split: Split) -> None:
    """Refuse rows to choose from of which none is right: other programs would take the last for it."""
    if facts.kind == "choose" and split.unanswered:
        raise DataError(f"{split.unanswered:,} of {split.rows:,} rows of {facts.name} have no right choice")


def _row(example: Example, asked: Asked) -> dict[str, Any]:
    request = asked.request(example)
    return {
        "id": example.id,
        "prompt": request.prompt,
        "messages": [{"role": turn.role, "content": turn.text} for turn in request.messages],
        "inputs": json.dumps(dict(example.inputs), sort_keys=True),
        "reference": next(iter(example.references), ""),
        "references": list(example.references),
        "choices": list(request.choices),
        "answer": _answer(example, request, asked),
    }


def _answer(example: Example, request: Request, asked: Asked) -> int:
    """Return the place of the right choice among those that a model is shown, whatever they stand for."""
    for place, choice in enumerate(request.choices):
        if asked.read(example, Completion(example.id, choice)).text in example.references:
            return place
    return NO_ANSWER
