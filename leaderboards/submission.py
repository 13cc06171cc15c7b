"""A submission: answers by row id, and what their maker says of them. Scores inside it are ignored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from harness import DataError, UsageError
from harness.files.archives import open_files, packed
from harness.files.writing import write

from .plain import canonical, slug

ABOUT, PREDICTIONS = "submission.json", "predictions.jsonl"
MAX_ANSWER = 100_000  # characters; far above any task's longest reference
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Output:
    """One answer as the model gave it."""

    text: str
    finish: str = ""
    choice_scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """Answers with what is said about them; `about` follows the shipped JSON Schema."""

    about: Mapping[str, Any]
    outputs: Mapping[str, Output]
    notes: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)  # what the keepers of a board add

    @property
    def task(self) -> str:
        """The task that was answered."""
        return str(self.about["task"])

    @property
    def name(self) -> str:
        """The name that the table shows."""
        return str(self.about["name"])

    @property
    def digest(self) -> str:
        """A hash of the answers by id: equal for equal answers in any order."""
        total = hashlib.sha256()
        for key in sorted(self.outputs):
            total.update(json.dumps([key, self.outputs[key].text]).encode() + b"\n")
        return total.hexdigest()

    @property
    def id(self) -> str:
        """What the row is called in files and addresses."""
        seed = f"-s{self.about['seed']}" if "seed" in self.about else ""
        return f"{slug(self.name)}{seed}-{self.digest[:8]}"


@lru_cache(maxsize=1)
def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of submission.json."""
    text = resources.files(__package__).joinpath("submission.schema.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


def read_submission(path: Path) -> Submission:
    """Read a folder or zip with submission.json and predictions.jsonl; every fault is one sentence."""
    files = open_files(path)
    if ABOUT not in files:
        raise DataError(
            f"{path} has no {ABOUT}",
            hint="leaderboard pack RUN writes one; bare answers need --task and --name",
        )
    if PREDICTIONS not in files:
        raise DataError(f"{path} has no {PREDICTIONS} (nor {PREDICTIONS}.gz)")
    about, notes = checked_about(files[ABOUT], f"{path}: {ABOUT}")
    return Submission(about, read_outputs(files[PREDICTIONS], f"{path}: {PREDICTIONS}"), tuple(notes))


def checked_about(data: bytes, where: str) -> tuple[Mapping[str, Any], list[str]]:
    """Parse and validate submission.json; return it without scores, and what was left out."""
    # Here, because listing boards needs no validator.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    try:
        about = json.loads(data.decode())
    except ValueError as error:
        raise DataError(f"{where} is not JSON: {error}") from error
    notes = []
    if isinstance(about, dict) and about.pop("scores", None) is not None:
        notes.append("scores inside the submission were ignored")
    if fault := best_match(Draft202012Validator(schema()).iter_errors(about)):
        place = "/".join(map(str, fault.absolute_path))
        raise DataError(
            f"{where}{', ' + place if place else ''}: {fault.message[:200]}",
            hint="the schema is printed by: run-bench leaderboard schema",
        )
    return about, notes


def read_outputs(data: bytes, where: str) -> dict[str, Output]:
    """Read answers, one JSON object a line: `id`, `output`, and if known `finish`, `choice_scores`."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8: byte {error.start}") from error
    found: dict[str, Output] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        key, output = _row(line, f"{where}, line {number}")
        if key in found:
            raise DataError(f"{where}, line {number}: a second answer to '{key}'")
        found[key] = output
    if not found:
        raise DataError(f"{where} holds no answer")
    return found


def _row(line: str, where: str) -> tuple[str, Output]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON") from error
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        raise DataError(f'{where}: a row is an object with "id" and "output"')
    output = row.get("output", row.get("raw"))  # a run's own predictions say what the model wrote as raw
    if not isinstance(output, str):
        raise DataError(f"{where}: \"output\" of '{row['id'][:80]}' is not text")
    if len(output) > MAX_ANSWER:
        raise DataError(f"{where}: an answer of {len(output):,} characters; at most {MAX_ANSWER:,} are taken")
    finish = row.get("finish", "")
    scores = row.get("choice_scores", ())
    if not isinstance(finish, str) or not isinstance(scores, list | tuple):
        raise DataError(f'{where}: "finish" is text and "choice_scores" a list of numbers')
    try:
        return row["id"], Output(output, finish, tuple(float(value) for value in scores))
    except (TypeError, ValueError) as error:
        raise DataError(f'{where}: "choice_scores" is a list of numbers') from error


def check_ids(submission: Submission, ids: Sequence[str]) -> None:
    """Refuse answers that are short, or to rows that the task does not have."""
    wanted = set(ids)
    if unknown := sorted(set(submission.outputs) - wanted):
        raise DataError(
            f"'{submission.name}' answers {len(unknown):,} rows that {submission.task} does not have, "
            f"such as '{unknown[0][:80]}'"
        )
    if missing := [key for key in ids if key not in submission.outputs]:
        raise DataError(
            f"'{submission.name}' answers {len(submission.outputs):,} of {len(ids):,} rows of "
            f"{submission.task}; the first without an answer is '{missing[0]}'",
            hint="a row that a model failed on is an empty output, not a missing one",
        )


def outputs_as_bytes(outputs: Mapping[str, Output], ids: Iterable[str]) -> bytes:
    """Return predictions.jsonl.gz: the same answers always give the same bytes."""
    lines = []
    for key in ids:
        output = outputs[key]
        row: dict[str, Any] = {"id": key, "output": output.text}
        if output.finish:
            row["finish"] = output.finish
        if output.choice_scores:
            row["choice_scores"] = list(output.choice_scores)
        lines.append(json.dumps(row, sort_keys=True))
    return packed(("\n".join(lines) + "\n").encode())


def write_submission(submission: Submission, folder: Path, ids: Iterable[str]) -> None:
    """Write a submission's folder."""
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", hint="choose another --output DIR")
    write(folder / ABOUT, canonical(dict(submission.about)))
    write(folder / f"{PREDICTIONS}.gz", outputs_as_bytes(submission.outputs, ids))
