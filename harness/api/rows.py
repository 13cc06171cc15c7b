"""What is learned from: one kind of row for each way of learning, and the data of a stage.

`TrainRow` is open: a stage that a plugin brings may learn from rows of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a listing names kinds of rows and holds none
    from .example import Completion, Message, Request
    from .metric import MetricEntry


class TrainRow:
    """Base of what a stage learns from."""

    __slots__ = ()

    def texts(self) -> tuple[str, ...]:
        """Return the texts that a model reads or writes to learn from this row."""
        return ()


@dataclass(frozen=True, slots=True)
class TrainPair(TrainRow):
    """One supervised row: the prompt as it will be at generation, and the wanted text."""

    prompt: str
    target: str
    inputs: Mapping[str, str] = field(default_factory=dict)

    def texts(self) -> tuple[str, ...]:
        """Return the prompt and the wanted text."""
        return self.prompt, self.target


@dataclass(frozen=True, slots=True)
class Document(TrainRow):
    """One text of a pretraining corpus; `tokens` where the corpus is already tokenised."""

    text: str
    tokens: tuple[int, ...] = ()

    def texts(self) -> tuple[str, ...]:
        """Return the text."""
        return (self.text,)


@dataclass(frozen=True, slots=True)
class Conversation(TrainRow):
    """A supervised row of several turns; what the assistant says is learned.

    `tools` describes, as JSON, what the assistant may call.
    """

    messages: tuple[Message, ...]
    tools: str = ""

    def texts(self) -> tuple[str, ...]:
        """Return what each turn says."""
        return tuple(message.text for message in self.messages)


@dataclass(frozen=True, slots=True)
class Preference(TrainRow):
    """Two answers to one prompt, of which the first is better, by `margin` where that is known.

    `messages` are the turns before the answers, where there are any; `prompt` is then their last.
    `tools` describes, as JSON, what the assistant may call.
    """

    prompt: str
    chosen: str
    rejected: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    margin: float | None = None
    tools: str = ""

    def texts(self) -> tuple[str, ...]:
        """Return what was said and both answers."""
        before = tuple(message.text for message in self.messages) or (self.prompt,)
        return (*before, self.chosen, self.rejected)


@dataclass(frozen=True, slots=True)
class Ranking(TrainRow):
    """A question, a text that answers it, and others of the same source that do not."""

    question: str
    right: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptRow(TrainRow):
    """A prompt whose answers are sampled and judged while training; the judge knows it by `request.id`."""

    request: Request

    def texts(self) -> tuple[str, ...]:
        """Return what was said and what is asked."""
        return (*(message.text for message in self.request.messages), self.request.prompt)


class Evaluator(Protocol):
    """Scores completions of validation requests with the task's own metrics, references unseen."""

    requests: Sequence[Request]
    select: str
    higher_is_better: bool

    def __call__(self, completions: Iterable[Completion]) -> Mapping[str, float]:
        """Return metric name -> value for completions of `requests`."""
        ...


class Judge(Protocol):
    """Scores single completions of training requests with the task's own metrics, references unseen."""

    @property
    def metrics(self) -> Mapping[str, MetricEntry]:
        """The cards of the metrics."""
        ...

    def __call__(self, completions: Sequence[Completion]) -> Sequence[Mapping[str, float]]:
        """Return for each completion metric name -> value of that row; a metric without one is absent."""
        ...


@dataclass(frozen=True, slots=True)
class TrainData:
    """What a stage learns from. `train` is re-iterable; a streamed corpus has no length.

    `evaluator` scores answers to validation requests, `judge` single answers to training requests. `taught`
    are the answers in the data to the prompts of `train`, read where a stage also learns them.
    """

    train: Iterable[TrainRow]
    validation: Sequence[TrainRow] = ()
    digest: str = ""
    evaluator: Evaluator | None = None
    judge: Judge | None = None
    taught: Iterable[TrainRow] = ()
