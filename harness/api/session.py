"""A model that is open: asked as often as there is something to ask, by a run, a chat or a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from .errors import StageError, UsageError
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


@dataclass(frozen=True, slots=True)
class TokenLog:
    """A token's log-probability, and the likeliest in its place; None where nothing stands before it."""

    token: int
    log: float | None
    top: tuple[tuple[int, float], ...] = ()


class Stream(Protocol):
    """The answer to one request as it comes. Its pieces, put together, are the completion's text."""

    completion: Completion | None  # once it has ended
    error: StageError | None  # or why it could not

    def take(self) -> str:
        """Return what has become sure since the last time."""
        ...

    @property
    def logs(self) -> Sequence[TokenLog]:
        """The log-probabilities of the answer's tokens so far, where they were asked for."""
        ...

    @property
    def prompt_logs(self) -> Sequence[TokenLog]:
        """Those of the prompt's tokens."""
        ...

    def cancel(self) -> None:
        """Give the request up."""
        ...


class QueueFull(StageError):
    """As many requests wait for an engine as may."""


class PromptTooLong(UsageError):
    """A prompt leaves no room for its answer."""


Fit = Literal["cut", "shorten", "refuse"]


class Engine(Protocol):
    """An open model that takes requests while it answers others, used from one thread at a time."""

    def submit(
        self,
        request: Request,
        spec: GenerateSpec,
        *,
        tokens: Sequence[int] | None = None,
        fit: Fit = "cut",
        logs: int | None = None,
        echo: bool = False,
        adapter: str = "",
    ) -> Stream:
        """Take a request, and return what it will say.

        `tokens` stand for a prompt that is encoded. `fit` says what gives way where the model cannot hold
        prompt and answer: the prompt is cut, the answer shortened, or the request refused. `logs` asks for
        the log-probability of each token, beside those of so many of the likeliest; with `echo` the
        prompt's are told as well. `adapter` is one that the session holds, by name.
        """
        ...

    def step(self) -> Sequence[Stream]:
        """Go on with what there is to do, and return the answers that have ended."""
        ...

    @property
    def busy(self) -> bool:
        """Whether any request has no answer yet."""
        ...


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

    def text_tokens(self, text: str) -> tuple[int, ...]:
        """Return a text's ids as it is continued, with nothing laid around it."""
        raise self._unsupported("continuing a text")

    def token_text(self, token: int) -> str:
        """Return the text of one token."""
        raise self._unsupported("showing the text of tokens")

    @property
    def templates(self) -> tuple[str, ...]:
        """The templates by which it can lay a conversation out, by name; none where it has one way alone."""
        return ()

    def laid_out(
        self, request: Request, spec: GenerateSpec, template: str
    ) -> tuple[tuple[int, ...], GenerateSpec]:
        """Return a request's ids by another template, and the settings until the template's turn ends."""
        raise self._unsupported("templates")

    def add_adapter(self, name: str, path: Path) -> None:
        """Load an adapter that an engine's requests can ask for by its name."""
        raise self._unsupported("adapters")

    def engine(self, spec: GenerateSpec, most_waiting: int) -> Engine | None:
        """Return an engine on the open model with the memory of `spec`, or None where there is none."""
        return None

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
