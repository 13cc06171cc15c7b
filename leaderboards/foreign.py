"""Answers in forms that others use: one a line (L+M-24's zip), MolT5's table, JSON lines without a card."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import DataError, Example, UsageError, nearest
from harness.files.archives import open_files

from .submission import ABOUT, MAX_ANSWER, SCHEMA_VERSION, Output, Submission, read_outputs
from .task_view import TaskView

SUBMIT = "submit.txt"  # what L+M-24 asked for; some of its zips hold other files too
CLS = "[CLS] "  # what some tokenizers leave before a caption; the MolT5 scorers cut exactly this
# L+M-24's blind captions have 137 more lines than its scorer reads; no other surplus is forgiven.
LPM24_ROWS, LPM24_LINES = 21_805, 21_942


def import_foreign(path: Path, view: TaskView, name: str, form: str = "", **origin: str) -> Submission:
    """Read bare answers to a task's rows; the form is recognised, or named."""
    data = _only_file(open_files(path), path)
    form = form or recognise(data)
    if form not in FORMS:
        raise UsageError(f"no form named '{form}'", hint=nearest(form, FORMS))
    if not name:
        raise UsageError(f"{path} does not say what made it", hint="--name gives the row its name")
    outputs, notes = FORMS[form](data, view, str(path))
    about: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "name": name,
        "task": view.task,
        "task_version": view.version,
        "split": view.split,
        "data": {"source": "sample" if view.sample else "files", "digest": view.digest},
        "origin": {"form": form, "sha256": hashlib.sha256(data).hexdigest()} | origin,
    }
    return Submission(about, outputs, tuple(notes))


def is_foreign(path: Path) -> bool:
    """Whether a path holds bare answers, without a card."""
    return ABOUT not in open_files(path)


def recognise(data: bytes) -> str:
    """Name the form of a file by its first line."""
    first = data.split(b"\n", 1)[0].decode(errors="replace").strip()
    if first.startswith("{"):
        return "jsonl"
    columns = first.split("\t")
    return "molt5" if len(columns) == 3 and columns[1:] == ["ground truth", "output"] else "lines"


def _only_file(files: Mapping[str, bytes], path: Path) -> bytes:
    if SUBMIT in files:
        return files[SUBMIT]
    if len(files) != 1:
        raise DataError(
            f"{path} holds {len(files)} files and no {ABOUT}", hint="bare answers are a single file"
        )
    return next(iter(files.values()))


Read = tuple[dict[str, Output], list[str]]


def _lines(data: bytes, view: TaskView, where: str) -> Read:
    """One answer a line, in the order of the task's rows."""
    lines = _text(data, where).removesuffix("\n").split("\n")
    rows, notes = len(view.examples), ["answers carry no ids: the order of the task's rows was taken"]
    if rows == LPM24_ROWS and len(lines) == LPM24_LINES:
        notes.append(f"{LPM24_LINES - LPM24_ROWS} lines after row {LPM24_ROWS:,} belong to no scored row")
        lines = lines[:rows]
    if len(lines) != rows:
        raise DataError(f"{where} has {len(lines):,} lines, {view.task} has {rows:,} rows")
    return {
        example.id: _output(line.strip(), where) for example, line in zip(view.examples, lines, strict=True)
    }, notes


def _molt5(data: bytes, view: TaskView, where: str) -> Read:
    """Three columns: input, ground truth, output; rows in any order, joined by the first two."""
    lines = _text(data, where).removesuffix("\n").split("\n")[1:]
    table = [line.split("\t") for line in lines]
    if bad := [number for number, row in enumerate(table, 2) if len(row) != 3]:
        raise DataError(f"{where}, line {bad[0]}: expected 3 columns")
    joined = _join([(row[0].strip(), row[1].strip()) for row in table], view.examples, where)
    cut = sum(row[2].startswith(CLS) for row in table)
    outputs = {key: _output(row[2].removeprefix(CLS), where) for key, row in zip(joined, table, strict=True)}
    return outputs, ([f"'{CLS.strip()}' was cut from the start of {cut:,} answers"] if cut else [])


def _join(rows: Sequence[tuple[str, str]], examples: Sequence[Example], where: str) -> list[str]:
    """Return the id of each row: by input and truth, or by either alone where files spell the other anew."""
    best: tuple[int, str] = (len(rows) + 1, "")
    keys: tuple[Callable[[str, str], object], ...] = (
        lambda asked, truth: (asked, truth),
        lambda _, truth: truth,
        lambda asked, _: asked,
    )
    for key in keys:
        places: dict[object, list[str]] = defaultdict(list)
        for example in examples:
            spelled = {
                key(asked.strip(), r.strip()) for asked in example.inputs.values() for r in example.references
            }
            for place in spelled:
                places[place].append(example.id)
        found = [places[key(*row)].pop(0) if places[key(*row)] else "" for row in rows]
        if all(found) and len(set(found)) == len(found):
            return found
        unmatched = found.count("") + len(found) - len(set(found))
        best = min(best, (unmatched, rows[found.index("")][1] if "" in found else ""))
    raise DataError(
        f"{best[0]:,} of {len(rows):,} rows of {where} match no row of the task, such as '{best[1][:80]}'",
        hint="the rows must be those of the task's split",
    )


def _json_lines(data: bytes, view: TaskView, where: str) -> Read:
    return read_outputs(data, where), []


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8: byte {error.start}") from error


def _output(text: str, where: str) -> Output:
    if len(text) > MAX_ANSWER:
        raise DataError(f"{where}: an answer of {len(text):,} characters; at most {MAX_ANSWER:,} are taken")
    return Output(text)


FORMS: dict[str, Callable[[bytes, TaskView, str], Read]] = {
    "lines": _lines,
    "molt5": _molt5,
    "jsonl": _json_lines,
}
