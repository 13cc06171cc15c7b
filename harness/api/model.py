"""What a model plugin offers: an entry that is cheap to list, and a class that is imported when chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UsageError

if TYPE_CHECKING:  # a listing trains and asks nothing
    from .notice import Notice
    from .rows import TrainData
    from .run import Checkpoint, RunContext
    from .session import ModelSession
    from .spec import TrainSpec


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model on the shelf. `target` is `"package.module:Class"` and is imported only when chosen.

    `recipes` is a folder of `<preset>.toml` files; the first of `presets` is the default. With
    `multitask`, a task group is learned as one model instead of one model a member. `stages` are the
    stages of training that the model has, with `*` all that there are; without any, nothing is learned.
    `files` are the options that name files, which are known by what they hold. `known_by` is the option
    that tells models of this kind apart, such as `weights` where any will do. Without `chooses` the
    model cannot score choices by log-likelihood, and is asked to name one; with None it may be able to,
    and is asked to score only where the task's options say so. `notice` is what people are told beside its
    answers.
    """

    name: str
    summary: str
    target: str
    requires: tuple[str, ...] = ()
    recipes: Path | None = None
    presets: tuple[str, ...] = ()
    files: tuple[str, ...] = ("weights",)
    known_by: str = ""
    multitask: bool = False
    stages: tuple[str, ...] = ("sft",)
    chooses: bool | None = True
    notice: Notice = field(default_factory=dict, hash=False)
    tags: tuple[str, ...] = ()
    licence: str = ""
    citation: str = ""


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
        """Run one stage, `spec.stage`, and return what it leaves under `run.directory`.

        A stage goes on from `spec.base`; what else it needs is in `run.inputs`, such as a reward model.
        """
        raise self._unsupported(f"training stage '{spec.stage}'")

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> ModelSession:
        """Load the checkpoint, or the preset's own weights without one, ready to be asked."""
        raise self._unsupported("being asked")

    def _unsupported(self, what: str) -> UsageError:
        return UsageError(f"{type(self).__name__} does not support {what}")
