"""A model that is open: asked as often as there is something to ask, by a run, a chat or a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .errors import UsageError
from .example import Completion, Request
from .run import RunContext
from .spec import GenerateSpec


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """A prompt as a model reads it: token ids, their text, and how many begin the sequence.

    `bos` is None where the model has no such token; two of them are a well-known silent mistake.
    """

    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    bos: int | None = None


class ModelSession:
    """Base of an open model. Override what it can do; what stays unsupported says so in one sentence.

    A session outlives a run: weights are loaded when it is opened and not again. `run` says where notes
    and progress of this one asking go.
    """

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Yield one completion a request, in any order, each as soon as it is finished."""
        raise self._unsupported("generation")

    def choose(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Yield completions that carry the log-likelihood of each of the request's choices."""
        raise self._unsupported("scoring choices by log-likelihood")

    def perplexity(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Yield completions that carry the log-likelihood of each request's own text."""
        raise self._unsupported("perplexity")

    def prompt_tokens(self, request: Request) -> PromptTokens:
        """Return exactly what generation feeds the model for a request."""
        raise self._unsupported("showing the tokens of a prompt")

    def close(self) -> None:
        """Free what the session holds; it is not asked again."""

    @property
    def reasoning(self) -> tuple[str, ...]:
        """The two tags that the model thinks aloud between; none where it does not."""
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _unsupported(self, what: str) -> UsageError:
        return UsageError(f"{type(self).__name__} does not support {what}")


def until(text: str, stop: Sequence[str]) -> tuple[str, str]:
    """Cut a text at the first of some stop strings; return it with how it ended: `stop-string` or `stop`."""
    places = [text.index(word) for word in stop if word in text]
    return (text[: min(places)], "stop-string") if places else (text, "stop")


class Answers(ModelSession):
    """The session of a model that is no more than a function from a request to a text."""

    def __init__(self, answer: Callable[[Request], str]) -> None:
        self._answer = answer

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer each request."""
        for request in requests:
            yield Completion(request.id, *until(self._answer(request), spec.stop))
