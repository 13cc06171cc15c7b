"""A conversation with an open model: what was said, how it is asked, and the next answer as it comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.api.errors import DataError, UsageError
from harness.api.example import Completion, Message, Request
from harness.api.session import Engine
from harness.api.spec import GenerateSpec
from harness.papers.evidence import SearchedPaper, request
from harness.papers.paper import Paragraph


@dataclass(slots=True)
class Conversation:
    """Turns of a user and an assistant, under a system prompt if there is one.

    About a `paper` each question is asked with the passages that it finds; the turns hold the question alone.
    """

    engine: Engine
    spec: GenerateSpec
    system: str = ""
    paper: SearchedPaper | None = None
    evidence: list[Paragraph] = field(default_factory=list)  # of the last question
    turns: list[Message] = field(default_factory=list)
    last: Completion | None = None
    asked: int = 0

    def find(self, text: str) -> list[Paragraph]:
        """Find the evidence of a question, with which it is then asked."""
        self.evidence = [] if self.paper is None else self.paper.find(text)
        return self.evidence

    def ask(self, text: str, stopped: Callable[[], bool] = lambda: False) -> Iterator[str]:
        """Yield the answer as it comes, and keep both; one that is stopped is kept as far as it came."""
        said = [Message("system", self.system)] if self.system else []
        asked = request(text, self.evidence) if self.evidence else Request("0", text)
        asked = replace(asked, messages=(*said, *self.turns))
        # each answer is drawn anew, and all are the same again in the next conversation
        spec = replace(self.spec, seed=self.spec.seed + self.asked, n_best=1)
        stream = self.engine.submit(asked, spec, fit="shorten")
        self.asked += 1
        answer = ""
        while stream.completion is None and stream.error is None:
            if stopped():
                stream.cancel()
                break
            self.engine.step()
            if piece := stream.take():
                answer += piece
                yield piece
        if stream.error is not None:
            raise stream.error
        self.last = stream.completion
        if answer or self.last is not None:
            self.turns += [Message("user", text), Message("assistant", answer)]

    def clear(self) -> None:
        """Forget what was said."""
        self.turns.clear()

    def undo(self) -> str:
        """Take the last question and its answer back, and return the question."""
        if not self.turns:
            raise UsageError("nothing was said yet")
        question = self.turns[-2].text
        del self.turns[-2:]
        return question

    def save(self, path: Path) -> None:
        """Write what was said as a line that can be learned from; a file that is there is kept."""
        if path.exists():
            raise DataError(f"{path} is there already", hint="save under another name")
        system = [Message("system", self.system)] if self.system else []
        messages = [{"role": turn.role, "content": turn.text} for turn in [*system, *self.turns]]
        try:
            path.write_text(json.dumps({"messages": messages}, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}") from error
