"""What a model plugin offers: an entry that is cheap to list, and a class that is imported when chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import UsageError
from .example import Completion, Request, TrainData
from .run import Checkpoint, RunContext
from .spec import GenerateSpec, TrainSpec


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model on the shelf. `target` is `"package.module:Class"` and is imported only when chosen.

    `recipes` is a folder of `<preset>.toml` files; the first of `presets` is the default. With
    `multitask`, a task group is learned as one model instead of one model a member. With
    `trains` False nothing is learned before generation (a baseline, an API model).
    """

    name: str
    summary: str
    target: str
    requires: tuple[str, ...] = ()
    recipes: Path | None = None
    presets: tuple[str, ...] = ()
    multitask: bool = False
    trains: bool = True
    tags: tuple[str, ...] = ()
    licence: str = ""
    citation: str = ""


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """A prompt as a model reads it: token ids, their text, and how many begin the sequence.

    `bos` is None where the model has no such token; two of them are a well-known silent mistake.
    """

    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    bos: int | None = None


class NoOptions:
    """The options of a model that has none."""


class ModelPlugin:
    """Base of a model. Override what the model can do; what stays unsupported says so in one sentence.

    `Options` may be a frozen dataclass; its fields are set by `--set model.NAME=VALUE` and recipes.
    """

    Options: type[Any] = NoOptions

    def __init__(self, options: Any = None) -> None:
        self.options = self.Options() if options is None else options

    def train(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        """Run any stage other than the supervised one: pretraining and what a plugin adds."""
        raise self._unsupported(f"stage '{spec.stage}'")

    def finetune(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        """Run the supervised stage on a task's pairs."""
        raise self._unsupported("fine-tuning")

    def generate(
        self, requests: Sequence[Request], checkpoint: Checkpoint | None, spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Yield one completion a request, in any order, each as soon as it is finished."""
        raise self._unsupported("generation")

    def choose(
        self, requests: Sequence[Request], checkpoint: Checkpoint | None, spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Yield completions that carry the log-likelihood of each of the request's choices."""
        raise self._unsupported("scoring choices by log-likelihood")

    def prompt_tokens(self, request: Request, checkpoint: Checkpoint | None) -> PromptTokens:
        """Return exactly what generation feeds the model for a request."""
        raise self._unsupported("showing the tokens of a prompt")

    def _unsupported(self, what: str) -> UsageError:
        return UsageError(f"{type(self).__name__} does not support {what}")
