"""`generate`: the same matrix as `run`, stopped earlier; or the answers to a file of prompts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harness.api.errors import UsageError
from harness.engine.runner import Outcome
from harness.engine.task_files import of_prompts
from harness.files.rows import write_rows

from .output import say
from .run import add_run_verb
from .run import run as run_matrix


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_run_verb(
        subparsers,
        "generate",
        "Train if needed, generate, and print where the completions are; run scores them. With FILE, answer "
        "the prompts of a file: one a line, or one a row of CSV, TSV, JSON, JSONL or Parquet.",
        "run-bench generate --model toy --task toy --limit 5",
        "run-bench generate prompts.jsonl --model ./my-model --processes 2",
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="prompts to answer")
    parser.add_argument(
        "--answers", type=Path, metavar="FILE", help="where they are written (default: FILE.answers.jsonl)"
    )


def run(args: argparse.Namespace) -> int:
    """Generate for tasks, or for a file."""
    path, answers = args.__dict__.pop("file"), args.__dict__.pop("answers")
    if path is None:
        if answers is not None:
            raise UsageError("--answers goes with a file of prompts", hint="run-bench generate FILE")
        return run_matrix(args)
    if "task" in args or "," in getattr(args, "model", ""):
        raise UsageError("a file is a task of its own, and answered by one model", hint="name one --model")
    place = answers or path.with_name(f"{path.name}.answers.jsonl")
    if place.is_dir() or place.resolve() == path.resolve():
        raise UsageError(f"answers cannot be written to {place}", hint="--answers names another file")
    for key, value in of_prompts(path).items():
        setattr(args, key, value)
    args.no_train = not args.stage
    return run_matrix(args, lambda outcomes: write_answers(outcomes, place))


def write_answers(outcomes: list[Outcome], place: Path) -> None:
    """Write what was answered, in the order of the prompts; the file appears when all of them are."""
    if len(outcomes) != 1 or outcomes[0].error is not None:
        return
    rows = [
        {"id": ""}  # comes first
        | dict(request.inputs)
        | {"id": request.id, "prompt": request.prompt}
        | {"answer": completion.text, "finish": completion.finish}
        for request, completion in outcomes[0].answered
    ]
    write_rows(place, rows, sort=False)
    say(f"{len(rows)} answers are in {place}")
