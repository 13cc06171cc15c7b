"""Dolly's instructions (databricks-dolly-15k), which Mozi mixed with papers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness import Annotation, DataError, Example

KEYS = ("instruction", "context", "response")


def rows(path: Path) -> Iterator[Example]:
    """Yield a file's instructions as questions; the context is their evidence, and many have none."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _row(line, f"{path.name} line {number}", f"dolly-{number:05d}")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="task.dolly names Dolly's file") from error


def _row(line: str, where: str, name: str) -> Example:
    try:
        row = json.loads(line)
        question, evidence, answer = (row[key] for key in KEYS)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{where} is no instruction of Dolly", hint='{"instruction": …, "context": …, "response": …}'
        ) from error
    if not all(isinstance(text, str) for text in (question, evidence, answer)):
        raise DataError(f"{where}: instruction, context and response are texts")
    inputs = {"evidence": evidence.strip(), "question": question.strip()}
    return Example(name, inputs, (answer.strip(),), {"shown": ()}, annotations=(Annotation(),))
