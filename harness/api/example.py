"""The words of an evaluation: what a task holds, what a model sees, what it says, what a metric returns.

A model sees `Request` and rows of training, never `Example`: references stay on the task's side of the wall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `role` is system, user, assistant or tool; `name` is the tool that speaks.

    `calls` are the tools an assistant calls, each as JSON: `{"name": …, "arguments": {…}}`.
    """

    role: str
    text: str
    name: str = ""
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a source that an answer may rest on: a paragraph, a table's caption, an abstract."""

    id: str
    text: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is known of one reference: its kind, the ids of passages it rests on, and who gave it."""

    kind: str = ""
    evidence: tuple[str, ...] = ()
    annotator: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a task: named inputs, the accepted answers, and what else is known of the row.

    `choices` are the answers to choose from, in the order of the data; `references` are then texts
    among them. `passages` are what may be looked up to answer. `annotations`, where there are any,
    stand beside the references, one for each. `messages` are the turns before the last, in a dialogue.
    `meta["groups"]` may name the parts of the set that a row is in, such as its language: what has a
    value for each row is then also told for each part.
    """

    id: str
    inputs: Mapping[str, str]
    references: tuple[str, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is asked: an exact prompt, the inputs behind it, and the choices where there are any.

    `messages` are the turns before the prompt, which a model lays out by its chat template; without a
    prompt they are all there is. `passages` are those the prompt shows as evidence. `tools` describes,
    as JSON, what the model may call. With `exact` the prompt is a text that is continued as it stands: no
    template is laid around it, and nothing comes between it and a choice.
    """

    id: str
    prompt: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    passages: tuple[Passage, ...] = ()
    tools: str = ""
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model said to one request, raw.

    `finish` is `stop`, `length`, `stop-string` or `choice`; `choice_scores` are log-likelihoods in the
    order of the request's choices; `notes` name anything odd (`prompt-truncated-left`, `double-bos`, …)
    and are counted in the record; `alternatives` are the further texts of an n-best search, best first;
    `evidence` are the ids of the passages that the model says its answer rests on: none of them where it is
    empty, as for an answer that declines; None where the model says nothing of it, and what it was shown
    counts. `log_likelihood` is that of the request's own text, where it was asked for, and `new_tokens` how
    many tokens it counts. `repeats` are the further answers to the same row, where it is asked several times.
    `greedy` says of each choice of an exact request whether the likeliest tokens make just it; it is empty
    where the model does not say.
    """

    request_id: str
    text: str
    finish: str = "stop"
    prompt_tokens: int = 0
    new_tokens: int = 0
    choice_scores: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    evidence: tuple[str, ...] | None = None
    log_likelihood: float | None = None
    repeats: tuple[Completion, ...] = ()
    greedy: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """A completion read by its task: `text` is the answer that is scored, `raw` what the model said.

    `reasoning` is what stood between the tags of thinking aloud; it is never scored. `evidence` are the
    ids of the passages that the answer rests on. `log_likelihood` and `tokens` are those of the
    request's own text, where a model was asked how well it predicts it. `repeats` are the further answers
    to the same row, each read alike. `greedy` is the completion's, as `choice_scores` are.
    """

    example_id: str
    text: str
    raw: str = ""
    choice_scores: tuple[float, ...] = ()
    reasoning: str = ""
    evidence: tuple[str, ...] = ()
    log_likelihood: float | None = None
    tokens: int = 0
    repeats: tuple[Prediction, ...] = ()
    greedy: tuple[bool, ...] = ()


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
