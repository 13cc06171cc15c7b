"""The words of an evaluation: what a task holds, what a model sees, what it says, what a metric returns.

A model sees `Request` and `TrainPair`, never `Example`: references stay on the task's side of the wall.
"""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, overload

from .errors import UsageError


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a task: named inputs, the accepted answers, and what else is known of the row."""

    id: str
    inputs: Mapping[str, str]
    references: tuple[str, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is asked: an exact prompt, the inputs behind it, and the choices where there are any."""

    id: str
    prompt: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainPair:
    """One supervised row: the prompt as it will be at generation, and the wanted text."""

    prompt: str
    target: str
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """One text of a pretraining corpus; `tokens` where the corpus is already tokenised."""

    text: str
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """A multi-turn supervised row: (role, text) turns; the turns of role `assistant` are learned."""

    turns: tuple[tuple[str, str], ...]


TrainRow = TrainPair | Document | Conversation


class Evaluator(Protocol):
    """Scores completions of validation requests with the task's own metrics, references unseen."""

    requests: Sequence[Request]
    select: str
    higher_is_better: bool

    def __call__(self, completions: Iterable[Completion]) -> Mapping[str, float]:
        """Return metric name -> value for completions of `requests`."""
        ...


@dataclass(frozen=True, slots=True)
class TrainData:
    """What a stage learns from. `train` is re-iterable; a streamed corpus has no length."""

    train: Iterable[TrainRow]
    validation: Sequence[TrainRow] = ()
    digest: str = ""
    evaluator: Evaluator | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model said to one request, raw.

    `finish` is `stop`, `length`, `stop-string` or `choice`; `choice_scores` are log-likelihoods in the
    order of the request's choices; `notes` name anything odd (`prompt-truncated-left`, `double-bos`, …)
    and are counted in the record; `alternatives` are the further texts of an n-best search, best first.
    """

    request_id: str
    text: str
    finish: str = "stop"
    prompt_tokens: int = 0
    new_tokens: int = 0
    choice_scores: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """A completion read by its task: `text` is the answer that is scored, `raw` what the model said."""

    example_id: str
    text: str
    raw: str = ""
    choice_scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """One number with its name, and what is needed to trust it.

    `value` is None where the metric is undefined or could not be computed; `note` says why.
    `per_example` is in the order of the scored rows. `resample` maps a (resamples x rows) array of row
    counts to one value a resample; without it the value is taken to be the mean of `per_example`.
    """

    metric: str
    value: float | None
    n: int
    per_example: tuple[float | None, ...] | None = None
    interval: tuple[float, float] | None = None
    note: str = ""
    version: str = "1"
    higher_is_better: bool = True
    details: Mapping[str, float | None] = field(default_factory=dict)
    resample: Callable[[Any], Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Pairs(Sequence[tuple[Example, Prediction]]):
    """The rows a metric scores: a sequence of (example, prediction).

    `training_targets` yields the wanted texts of the training split (novelty, copies); `cache` is
    where metrics of one scoring share work, such as parsed molecules.
    """

    rows: Sequence[tuple[Example, Prediction]]
    training_targets: Callable[[], Iterable[str]] | None = None
    vocab: Path | None = None
    cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @overload
    def __getitem__(self, index: int) -> tuple[Example, Prediction]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[Example, Prediction]]: ...
    def __getitem__(
        self, index: int | slice
    ) -> tuple[Example, Prediction] | Sequence[tuple[Example, Prediction]]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[Example, Prediction]]:
        return iter(self.rows)


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """The exact text around an example's inputs, the same object for training and generation.

    `template` names inputs in braces: `"{smiles}"`. `digest` goes into checkpoints and records, so a
    checkpoint is never silently asked with a prompt that it was not trained with.
    """

    name: str
    template: str
    version: str = "1"

    def render(self, inputs: Mapping[str, str]) -> str:
        """Fill the template; an input that is not there is an error, never an empty string."""
        wanted = {key for _, key, _, _ in string.Formatter().parse(self.template) if key}
        if missing := sorted(wanted - set(inputs)):
            raise UsageError(
                f"prompt '{self.name}' needs input {', '.join(missing)}, the example has {', '.join(inputs)}"
            )
        return self.template.format_map(inputs)

    @property
    def digest(self) -> str:
        """A short hash of name, version and template."""
        text = json.dumps([self.name, self.version, self.template])
        return hashlib.sha256(text.encode()).hexdigest()[:16]
