"""A submission: answers by row id, and what their maker says of them. Scores inside it are ignored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from harness import Completion, DataError, UsageError
from harness.files.archives import open_files, packed
from harness.files.finished import PREDICTIONS
from harness.files.writing import write
from harness.scoring.answers import by_id, parse

from ..plain import canonical, digest, mapping, slug
from .strict import follow, strict

ABOUT = "submission.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Submission:
    """Answers with what is said about them; `about` follows the shipped JSON Schema."""

    about: Mapping[str, Any]
    outputs: Mapping[str, Completion]
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
        """A hash of the answers by id: equal for equal answers in any order.

        Where nothing is said the evidence is the answer: what a retriever found.
        """
        total = hashlib.sha256()
        for key, output in sorted(self.outputs.items()):
            said = output.text or list(output.evidence or ()) or ""
            more = [again.text for again in output.repeats]
            total.update(json.dumps([key, said, *more]).encode() + b"\n")
        return total.hexdigest()

    @property
    def id(self) -> str:
        """What the row is called in files and addresses; one asked with other options is another row."""
        seed = f"-s{self.about['seed']}" if "seed" in self.about else ""
        options = mapping(self.about.get("reading")).get("options")
        told = digest([self.digest, options]) if options else self.digest
        return f"{slug(self.name)}{seed}-{told[:8]}"


@lru_cache(maxsize=1)
def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of submission.json."""
    text = resources.files(__package__).joinpath("submission.schema.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


def read_submission(path: Path) -> Submission:
    """Read a folder or zip with submission.json and predictions.jsonl; every fault is one sentence."""
    return from_files(open_files(path), path)


def from_files(files: Mapping[str, bytes], path: Path) -> Submission:
    """Read a submission from what was opened."""
    if ABOUT not in files:
        raise DataError(
            f"{path} has no {ABOUT}",
            hint="leaderboard pack RUN writes one; bare answers need --task and --name",
        )
    if PREDICTIONS not in files:
        raise DataError(f"{path} has no {PREDICTIONS} (nor {PREDICTIONS}.gz)")
    about, notes = checked_about(files[ABOUT], f"{path}: {ABOUT}")
    outputs = read_outputs(files[PREDICTIONS], f"{path}: {PREDICTIONS}")
    return Submission(about, outputs, tuple(notes))


def checked_about(data: bytes, where: str) -> tuple[Mapping[str, Any], list[str]]:
    """Parse and validate submission.json; return it without scores, and what was left out."""
    about = strict(data, where)
    notes = []
    if isinstance(about, dict) and about.pop("scores", None) is not None:
        notes.append("scores inside the submission were ignored")
    follow(about, schema(), where, "the schema is printed by: run-bench leaderboard schema")
    return about, notes


def read_outputs(data: bytes, where: str) -> dict[str, Completion]:
    """Read answers, one JSON object a line, each with the id of its row."""
    return by_id(parse(data, where, "jsonl"))


def outputs_as_bytes(outputs: Mapping[str, Completion], ids: Iterable[str]) -> bytes:
    """Return predictions.jsonl.gz: the same answers always give the same bytes."""
    lines = []
    for key in ids:
        lines.append(json.dumps({"id": key, **_as_row(outputs[key])}, sort_keys=True))
    return packed(("\n".join(lines) + "\n").encode())


def _as_row(output: Completion) -> dict[str, Any]:
    row: dict[str, Any] = {"output": output.text}
    if output.finish:
        row["finish"] = output.finish
    if output.choice_scores:
        row["choice_scores"] = list(output.choice_scores)
    if output.evidence is not None:
        row["evidence"] = list(output.evidence)
    if output.repeats:
        row["repeats"] = list(map(_as_row, output.repeats))
    return row


def write_submission(submission: Submission, folder: Path, ids: Iterable[str]) -> None:
    """Write a submission's folder."""
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", hint="choose another --output DIR")
    write(folder / ABOUT, canonical(dict(submission.about)))
    write(folder / f"{PREDICTIONS}.gz", outputs_as_bytes(submission.outputs, ids))
