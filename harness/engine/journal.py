"""Completions on disk: appended as they come, keyed by what was asked; resuming asks for the rest only."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.api.errors import StageError, nearest
from harness.api.example import Completion, Request
from harness.files.finished import COMPLETIONS
from harness.files.json_files import digest
from harness.files.rows import heal_rows, line_of, read_rows
from harness.files.writing import sync

from .asking import unclosed

logger = logging.getLogger(__name__)

# What a row leaves out; how an answer ended is always said.
_UNSAID = {field.name: field.default for field in fields(Completion) if field.name != "finish"}


def request_key(request: Request) -> str:
    """Identify a request by its content, not by its place in the file."""
    asked: list[Any] = [request.id, request.prompt, dict(request.inputs), list(request.choices)]
    if request.messages or request.passages:
        asked.append([[asdict(m) for m in request.messages], [asdict(p) for p in request.passages]])
    if request.tools:
        asked.append(request.tools)
    if request.exact:
        asked.append("exact")
    return digest(asked)


def finished(directory: Path, requests: Sequence[Request]) -> dict[str, Completion]:
    """Return the completions already on disk for these requests, by request id, whoever wrote them."""
    keys = {request_key(request): request.id for request in requests}
    found: dict[str, Completion] = {}
    for path in sorted(directory.glob(COMPLETIONS)):
        for row in read_rows(path):
            request_id = keys.get(str(row.get("key")))
            if request_id is not None and isinstance(row.get("text"), str):
                found.setdefault(request_id, _completion(request_id, row))
    return found


def heal(directory: Path) -> None:
    """Drop damaged answers, so that they are asked for again."""
    for path in sorted(directory.glob(COMPLETIONS)):
        if damaged := heal_rows(path):
            logger.warning("%s: %d damaged answers are asked for again", path, damaged)


class Journal:
    """One process's append-only file of completions."""

    def __init__(
        self, directory: Path, requests: Sequence[Request], *, rank: int = 0, world_size: int = 1
    ) -> None:
        self.path = directory / ("completions.jsonl" if world_size == 1 else f"completions.{rank}.jsonl")
        self._requests = {request.id: request for request in requests}
        self._asked = frozenset(self._requests)
        heal_rows(self.path)
        self._file = self.path.open("ab", buffering=0)
        sync(directory)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

    def append(self, completion: Completion) -> None:
        """Write one completion, in one system call, before anything else happens to it."""
        request = self._open(completion)
        row = {key: value for key, value in asdict(completion).items() if value != _UNSAID.get(key, ...)}
        row["key"] = request_key(request)
        line = line_of(row)
        if self._file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        del self._requests[request.id]

    def _open(self, completion: Completion) -> Request:
        """Return the request that is answered; an answer that cannot be kept as it is ends the stage."""
        if not isinstance(completion, Completion) or not isinstance(completion.text, str):
            raise StageError(f"the model yielded {completion!r:.200}, which is no Completion with a text")
        request = self._requests.get(completion.request_id)
        if request is None:
            twice = completion.request_id in self._asked
            raise StageError(
                f"the model answered request '{completion.request_id}' twice"
                if twice
                else f"the model answered request '{completion.request_id}', which nobody asked",
                hint="" if twice else nearest(str(completion.request_id), self._asked),
            )
        if completion.choice_scores and len(completion.choice_scores) != len(request.choices):
            raise StageError(
                f"the model gave {len(completion.choice_scores)} scores for the {len(request.choices)} "
                f"choices of request '{request.id}'"
            )
        if wrong := [score for score in completion.choice_scores if not isinstance(score, int | float)]:
            raise StageError(
                f"the model gave a choice of request '{request.id}' the score {wrong[0]!r:.80}, "
                "which is no number"
            )
        return request

    def missing(self) -> list[str]:
        """Return the ids that have not been answered."""
        return list(self._requests)


def _completion(request_id: str, row: Mapping[str, Any]) -> Completion:
    return Completion(
        request_id,
        row["text"],
        row.get("finish", "stop"),
        row.get("prompt_tokens", 0),
        row.get("new_tokens", 0),
        tuple(row.get("choice_scores", ())),
        tuple(row.get("notes", ())),
        tuple(row.get("alternatives", ())),
        tuple(row["evidence"]) if "evidence" in row else None,
        row.get("log_likelihood"),
        greedy=tuple(row.get("greedy", ())),
    )


def count_oddities(completions: Iterable[Completion], tags: Sequence[str] = ()) -> dict[str, int]:
    """Count what a reader of the table should know: how answers ended, empty ones, and every note."""
    counts: dict[str, int] = {}
    for completion in completions:
        names = [*completion.notes]
        if completion.finish not in ("stop", "choice"):
            names.append(completion.finish)
        if not completion.text.strip() and not completion.choice_scores:
            names.append("empty")
        if unclosed(completion.text, tags):
            names.append("unclosed-reasoning")
        for name in set(names):
            counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def count_tokens(completions: Iterable[Completion]) -> dict[str, int]:
    """Count the tokens that were read and written; a text whose likelihood was asked for is read."""
    read = written = 0
    for completion in completions:
        wrote = 0 if completion.log_likelihood is not None else completion.new_tokens
        read += completion.prompt_tokens or completion.new_tokens - wrote
        written += wrote
    return {"tokens_in": read, "tokens_out": written}
