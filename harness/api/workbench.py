"""What a verb works with: tasks and models opened for it, and one way to speak.

Hosted code reaches neither the engine nor the command line; what it needs of them is named here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .example import Completion, Example, Pairs, Prediction, Request
from .metric import MetricEntry, Metrics
from .notice import Notice
from .retrieval import Retriever
from .run import Progress, RunContext
from .session import ModelSession
from .spec import DataSpec
from .task import Task


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task opened on one split of one source: its rows, what scores them, and how an answer is read.

    `request` is what a model is asked for a row, `read` what the task makes of what it said. `training`
    returns the training rows, where the source has any. `cache` is where all scorings of one view share
    what they work out, such as parsed molecules.
    """

    name: str
    split: str
    task: Task
    digest: str
    examples: Sequence[Example]
    metrics: Metrics
    request: Callable[[Example], Request]
    read: Callable[[Example, Completion], Prediction]
    training: Callable[[], Sequence[Example]] | None = None
    sample: bool = False
    summary: str = ""
    notice: Notice = field(default_factory=dict)  # what people are told beside answers
    vocab: Path | None = None  # where metrics find vocabularies that are not ours to ship
    cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def pairs(self, rows: Sequence[tuple[Example, Prediction]]) -> Pairs:
        """Return rows to score."""
        targets = None if self.training is None else self._targets
        return Pairs(rows, training_targets=targets, vocab=self.vocab, cache={"shared": self.cache})

    def answered(self, completions: Mapping[str, Completion]) -> Pairs:
        """Let the task read what was said to each of its rows."""
        return self.pairs([(row, self.read(row, completions[row.id])) for row in self.examples])

    def _targets(self) -> list[str]:
        return [self.task.target(example) for example in self.training()] if self.training else []


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A model that is open, and the run it is asked in: `run.spec.generate` is its preset's way to answer."""

    session: ModelSession
    run: RunContext
    notice: Notice = field(default_factory=dict)  # what people are told beside answers


class Workbench(Protocol):
    """What a verb may ask of the program. Every fault is raised as one of the harness's errors."""

    def expand(self, names: str) -> list[str]:
        """Return the tasks of a list with commas, groups replaced by their members."""
        ...

    def task(self, name: str) -> type[Task]:
        """Return a task's class."""
        ...

    def metrics(self, task: str = "") -> Mapping[str, MetricEntry]:
        """Return every metric by the name under which `task` finds it."""
        ...

    def load_metrics(self, names: Sequence[str], task: str = "") -> Metrics:
        """Import metrics, those of the task's own plugin before others of the same name."""
        ...

    def open_task(
        self,
        name: str,
        data: DataSpec,
        *,
        metrics: Sequence[str] = (),
        model: str = "",
        options: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
    ) -> TaskView:
        """Open a task on a source, with its own metrics or those named, asked as `model` wants it.

        `options` are the task's, `tags` those between which the model thinks aloud.
        Without a split in `data` no row is read: `view.task` tells its splits and yields their rows.
        """
        ...

    def tagged(self, tag: str) -> list[str]:
        """Return the names of the tasks that have a tag."""
        ...

    def retriever(self, name: str) -> Retriever:
        """Build a retriever by what users write: `NAME`, `NAME:WHERE`, `A+B` for both at once."""
        ...

    def open_model(
        self,
        name: str,
        task: str = "",
        *,
        preset: str = "",
        options: Mapping[str, Any] | None = None,
        checkpoint: Path | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> ReadyModel:
        """Open a model as its preset and options say, for a task or as a chat asks it; close its session.

        `settings` are any others by their keys, such as `generate.max_new_tokens`.
        """
        ...

    def render(self, table: Any, form: str) -> str | None:
        """Return a leaderboard's table in a form that a plugin brings, or None."""
        ...

    def progress(self, *, quiet: bool = False) -> Progress:
        """Return where long work says how far it is."""
        ...

    def write(self, text: str) -> None:
        """Write a result on standard output, whatever strangers put into it made visible."""
        ...

    def prose(self, text: str, *, marked: Sequence[str] = (), indent: int = 0) -> None:
        """Write a paragraph in lines that fit a terminal; there what is `marked` stands out."""
        ...

    def write_json(self, facts: Any) -> None:
        """Write a result as JSON on standard output."""
        ...

    def say(self, text: str) -> None:
        """Write a line about the work on standard error."""
        ...

    def show(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        notes: Sequence[str] = (),
        words: bool = False,
        best: AbstractSet[tuple[int, int]] = frozenset(),
        muted: AbstractSet[int] = frozenset(),
    ) -> None:
        """Print a table as fits where it goes; `words` are set left, `best` cells bold, `muted` rows grey."""
        ...
