"""A finished run's files, held to each other: its record knows the digests of the others and of itself.

record.json is written last, so a run that has one is done; one whose files are not what was written is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.api import DataError
from harness.api.run import SCHEMA_VERSION

from .digests import file_digest
from .json_files import read_sealed, write_sealed

RECORD, PREDICTIONS, SCORES = "record.json", "predictions.jsonl", "scores.json"
COMPLETIONS = "completions*.jsonl"  # one of each process that answered
ROWS = {  # what the measures of a stage of training are taken on
    "held-out": "held-out: rows that the stage does not learn from, before its first step and after its last",
    "sampled": "sampled: its own answers to its prompts, in its first and its last batch of them",
}
REWARDED = "trained with rewards"  # how the note begins of a model that has learned from what it earned


def digests(directory: Path) -> dict[str, str]:
    """Return the digests of the files that a record stands for."""
    files = [*sorted(directory.glob(COMPLETIONS)), directory / PREDICTIONS, directory / SCORES]
    return {file.name: file_digest(file) for file in files if file.is_file()}


def before_after(gain: Mapping[str, Any]) -> tuple[str, str]:
    """Write what a stage's measure was before and after it."""
    before, after = (f"{round(gain[when], 6):.4g}" for when in ("before", "after"))
    return before, after


def write_record(directory: Path, record: Any) -> None:
    """Say that a run is done; the record's order is that of the table."""
    write_sealed(directory / RECORD, record, sort=False)


def read_record(directory: Path) -> Mapping[str, Any]:
    """Return the record of a finished run, all of whose files are what was written."""
    record = read_sealed(directory / RECORD)
    if record.get("schema_version", SCHEMA_VERSION) > SCHEMA_VERSION:
        raise DataError(
            f"{directory} was written by a newer release of Assay", hint="pip install --upgrade assay-bench"
        )
    found, kept = digests(directory), record.get("files", {})
    for name in sorted({*found, *kept}):
        if found.get(name) != kept.get(name):
            what = "is missing" if name not in found else "is not what was written"
            raise DataError(
                f"{directory / name} {what}",
                hint="the command that made the run makes it whole again from what is sound",
            )
    return record
