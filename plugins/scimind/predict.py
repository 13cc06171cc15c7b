"""Answers for a file of prompts, one a line."""

from __future__ import annotations

from pathlib import Path

from harness import Checkpoint, DataError, GenerateSpec, Request, RunContext, RunSpec
from harness.files.rows import write_rows

from .model import SciMind, SciMindOptions


def answer_file(
    checkpoint: Path, prompts: Path, answers: Path, options: SciMindOptions, spec: GenerateSpec
) -> None:
    """Write one JSON line a prompt; the file appears when all answers are there."""
    try:
        lines = prompts.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{prompts} is no text file that can be read: {error}") from error
    run = RunContext(answers.parent, RunSpec("scimind", "lines", generate=spec))
    requests = [Request(str(number), line) for number, line in enumerate(lines)]
    with SciMind(options).open(Checkpoint(checkpoint), run) as session:
        found = {int(said.request_id): said.text for said in session.generate(requests, spec, run)}
    write_rows(answers, ({"prompt": line, "answer": found[n]} for n, line in enumerate(lines)), sort=False)
