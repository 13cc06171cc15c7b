"""The one shape of rows that each stage learns from, checked before any model is loaded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

from harness.api import (
    Conversation,
    DataError,
    Document,
    Preference,
    PromptRow,
    StageEntry,
    TrainPair,
    TrainRow,
)
from harness.files.json_files import why_unread

CHECKED = 1000  # rows of a streamed corpus that are looked at; data with a length is checked whole


def check_rows(rows: Iterable[TrainRow], stage: StageEntry) -> None:
    """Refuse rows that the stage cannot learn from, naming the first."""
    first: type | None = None
    for number, row in enumerate(rows if isinstance(rows, Sized) else islice(rows, CHECKED)):
        first = first or type(row)
        if not isinstance(row, stage.rows):
            wanted = " or ".join(shape.__name__ for shape in stage.rows)
            raise DataError(
                f"stage '{stage.name}' learns from {wanted}, row {number} is a {type(row).__name__}"
            )
        if type(row) is not first:
            raise DataError(f"row {number} is a {type(row).__name__}, earlier rows are {first.__name__}")
        if fault := fault_of(row):
            raise DataError(f"row {number} {fault}")
    if first is None:
        raise DataError("there are no rows to learn from", hint="the training split is empty")


def fault_of(row: TrainRow) -> str:
    """Say what makes a row useless, or nothing."""
    match row:
        case TrainPair() if not row.target:
            return "has an empty target"
        case Document() if not (row.text or row.tokens):
            return "is an empty document"
        case Conversation() if not any(message.role == "assistant" for message in row.messages):
            return "has no turn of the assistant to learn"
        case Preference():
            return _fault_of_preference(row)
        case PromptRow() if not (row.request.prompt or row.request.messages):
            return "has an empty prompt"
    return ""


def _fault_of_preference(row: Preference) -> str:
    if not row.chosen or not row.rejected:
        return f"has an empty {'rejected' if row.chosen else 'chosen'} answer"
    if row.chosen == row.rejected:
        return "prefers an answer to itself: chosen and rejected are equal"
    if row.margin is not None and not isfinite(row.margin):
        return f"has a margin of {row.margin}"
    return ""


class BothDirections(Sequence[TrainPair]):
    """Pairs and, after them, the same pairs turned round: one model learns both directions."""

    def __init__(self, pairs: Sequence[TrainPair]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return 2 * len(self.pairs)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        if index < len(self.pairs):
            return self.pairs[index]
        pair = self.pairs[index - len(self.pairs)]
        return TrainPair(pair.target, pair.prompt, pair.inputs)


class Corpus:
    """Documents read from disk as they are asked for: a file or a folder, larger than memory or not.

    `.txt` holds a document a line; `.jsonl` holds `{"text": ...}` or, already tokenised,
    `{"tokens": [...]}`; either may be gzipped. Files are read in the order of their names.
    """

    def __init__(self, path: Path) -> None:
        endings = (".txt", ".jsonl", ".txt.gz", ".jsonl.gz")
        found = sorted(path.iterdir()) if path.is_dir() else [path]
        self.files = [file for file in found if file.name.endswith(endings)]
        if not path.exists() or not self.files:
            raise DataError(f"no corpus at {path}", hint="give a .txt or .jsonl file, or a folder of them")

    def __iter__(self) -> Iterator[Document]:
        for file in self.files:
            opened = gzip.open if file.suffix == ".gz" else open
            with opened(file, "rt", encoding="utf-8") as lines:
                yield from _documents(lines, file)


def _documents(lines: Iterable[str], file: Path) -> Iterator[Document]:
    as_json = ".jsonl" in file.suffixes
    try:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            yield _document(line, f"{file}:{number}") if as_json else Document(line.rstrip("\n"))
    except UnicodeDecodeError as fault:
        raise DataError(f"{file} is not UTF-8: {fault.reason} at byte {fault.start}") from fault


def _document(line: str, place: str) -> Document:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as fault:
        raise DataError(f"{place}: not JSON: {why_unread(fault)}") from fault
    if isinstance(row, dict) and isinstance(row.get("text"), str):
        return Document(row["text"])
    tokens = row.get("tokens") if isinstance(row, dict) else None
    if isinstance(tokens, list) and all(isinstance(token, int) for token in tokens):
        return Document("", tuple(tokens))
    raise DataError(f'{place}: expected {{"text": ...}} or {{"tokens": [...]}}')
