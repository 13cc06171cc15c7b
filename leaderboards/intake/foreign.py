"""Answers without a card: the task and a name come from whoever hands them in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import TaskView, UsageError
from harness.files.archives import open_files
from harness.scoring.answers import completions, only_file, parse

from .submission import SCHEMA_VERSION, Submission


def import_foreign(path: Path, view: TaskView, name: str, form: str = "", **origin: str) -> Submission:
    """Read bare answers to a task's rows; the form is recognised, or named."""
    return from_files(open_files(path), path, view, name, form, **origin)


def from_files(
    files: Mapping[str, bytes], path: Path, view: TaskView, name: str, form: str = "", **origin: str
) -> Submission:
    """Read bare answers from what was opened."""
    if not name:
        raise UsageError(f"{path} does not say what made it", hint="--name gives the row its name")
    file = parse(only_file(files, path), str(path), form)
    outputs = completions(file, view)
    about: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "name": name,
        "task": view.name,
        "task_version": view.task.version,
        "split": view.split,
        "data": {"source": "sample" if view.sample else "files", "digest": view.digest},
        "origin": {"form": file.form, "sha256": file.sha256} | origin,
    }
    return Submission(about, outputs, tuple(file.notes))
