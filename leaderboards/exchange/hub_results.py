"""Writes rows of a board as the Hub shows results on a model's page: `.eval_results/*.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness import DataError, MissingDependency, UsageError, nearest
from harness.files.writing import write
from harness.scoring.answers import named

from ..plain import slug
from .standing import Standing

FOLDER = ".eval_results"


def export(rows: Sequence[Standing], dataset: str, metric: str, folder: Path) -> Iterator[Path]:
    """Write one file a row, in a folder of its own; made-up rows are results on no data set."""
    owner_and_name, _, revision = dataset.partition("@")
    name, _, task = owner_and_name.partition(":")
    if name.count("/") != 1 or not all(name.split("/")):
        raise UsageError(
            "the Hub keeps results by data set" + (f", and '{name}' names none" if name else ""),
            hint="--dataset OWNER/NAME[:TASK][@REVISION]",
        )
    if made_up := [one.row.id for one in rows if one.table["sample"]]:
        raise DataError(
            f"{named(made_up)} answer made-up samples, not {name}",
            hint="name the rows that do, or their --task",
        )
    for one in rows:
        entry = _entry(one, metric, dataset_id=name, task_id=task or "default", revision=revision or None)
        path = folder / one.row.id / FOLDER / f"{slug(one.table['id'])}.yaml"
        write(path, yaml.safe_dump(entry, sort_keys=False, allow_unicode=True))
        yield path


def _entry(
    one: Standing, metric: str, *, dataset_id: str, task_id: str, revision: str | None
) -> list[dict[str, Any]]:
    try:  # here, because the base of the program goes without the Hub
        from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    except ImportError as error:
        raise MissingDependency(
            "results for the Hub need huggingface_hub", hint="pip install huggingface_hub"
        ) from error

    name, score = _score(one, metric)
    made = one.made()
    entry = EvalResultEntry(
        dataset_id=dataset_id,
        task_id=task_id,
        value=score["value"],
        dataset_revision=revision,
        date=made.isoformat() if made else None,
        notes=_notes(one, name, score),
    )
    return eval_result_entries_to_yaml([entry])


def _score(one: Standing, metric: str) -> tuple[str, dict[str, Any]]:
    found = {each["name"]: (each, dict(score)) for each, score in one.scores()}
    ranked = [name for name, (each, _) in found.items() if each["ranked"]]
    name = metric or (ranked[0] if ranked else "")
    if name not in found:
        raise UsageError(f"'{one.row.id}' has no value of '{name}'", hint=nearest(name, found))
    return name, found[name][1]


def _notes(one: Standing, metric: str, score: dict[str, Any]) -> str:
    """Say what the one number is, which the form has no places for."""
    ends = score["interval"]
    return ", ".join(
        [
            f"{metric} version {score['version']}",
            *([f"95 % interval {ends[0]:.6g} to {ends[1]:.6g}"] if ends else []),
            f"{score['n']} rows of {one.table['task']} ({one.table['digest']})",
            f"assay-bench {one.row.facts['toolkit']['assay']}",
            f"answers sha256 {one.row.facts['answers']['sha256']}",
        ]
    )
