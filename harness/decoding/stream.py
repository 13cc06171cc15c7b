"""What a request says while it is being answered: pieces of text that are sure, then the completion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.api.errors import StageError
from harness.api.example import Completion
from harness.api.session import TokenLog

from .jobs import Decode, Job

if TYPE_CHECKING:
    from .engine import Engine


class Stream:
    """The answer to one request as it comes. Its pieces, put together, are the completion's text."""

    def __init__(self, engine: Engine, job: Job, decode: Decode) -> None:
        self.completion: Completion | None = None  # once it has ended
        self.error: StageError | None = None  # or why it could not
        self.job = job
        self._engine = engine
        self._growing = job.live[0]  # the text that may be shown; of beams none is sure before the end
        self._unfolding = Unfolding(decode, job.manner.spec.stop) if job.manner.decoder != "beam" else None
        self._shown = ""

    def take(self) -> str:
        """Return what has become sure since the last time."""
        if self.completion is not None:
            said = self.completion.text
            piece = said[len(self._shown) :] if said.startswith(self._shown) else ""
        elif self._unfolding is None or self._growing.finish:
            return ""
        else:
            piece = self._unfolding.sure(self._growing.tokens)
        self._shown += piece
        return piece

    @property
    def logs(self) -> list[TokenLog]:
        """The log-probabilities of the answer's tokens so far, the one that ends it among them."""
        return self.job.answer_logs

    @property
    def prompt_logs(self) -> list[TokenLog]:
        """Those of the prompt's tokens."""
        return self.job.prompt_logs

    def result(self) -> Completion:
        """Return the completion, stepping the engine until there is one, or raise why there is none."""
        while self._engine.holds(self):
            self._engine.step()
        if self.error is not None:
            raise self.error
        if self.completion is None:
            raise StageError(f"request '{self.job.request.id}' was given up")
        return self.completion

    def cancel(self) -> None:
        """Give the answer up; its rows are free at the next step."""
        self._engine.cancel(self)

    def __iter__(self) -> Iterator[str]:
        """Yield pieces of text, stepping the engine while there is nothing to yield."""
        while True:
            if self.error is not None:
                raise self.error
            if piece := self.take():
                yield piece
            if not self._engine.holds(self):
                return
            self._engine.step()


class Unfolding:
    """Turns tokens into text piece by piece.

    A token's text depends on those before it, so each piece is decoded with the piece before. A character
    whose bytes have not all come, and what may be the beginning of a stop string, are held back.
    """

    def __init__(self, decode: Decode, stop: tuple[str, ...]) -> None:
        self._decode = decode
        self._stop = stop
        self._before = 0  # where the tokens of the piece before begin
        self._read = 0  # where those of the next piece do
        self._held = ""

    def sure(self, tokens: list[int]) -> str:
        """Return the text that tokens have added, as far as nothing that follows can change it."""
        if len(tokens) == self._read:
            return ""
        known = self._decode(tokens[self._before : self._read])
        text = self._decode(tokens[self._before :])
        if len(text) <= len(known) or text.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._before, self._read = self._read, len(tokens)
        self._held += text[len(known) :]
        end = len(self._held) - self._possible_stop()
        piece, self._held = self._held[:end], self._held[end:]
        return piece

    def _possible_stop(self) -> int:
        """Return how many of the held characters may belong to a stop string."""
        starts = [place for stop in self._stop if (place := self._held.find(stop)) >= 0]
        starts += [
            len(self._held) - length
            for stop in self._stop
            for length in range(1, len(stop))
            if self._held.endswith(stop[:length])
        ]
        return len(self._held) - min(starts, default=len(self._held))
