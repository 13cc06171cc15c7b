"""A run as its parts see it: the context of a stage, a checkpoint, and the record that remains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .prompt import PromptFormat
from .spec import RunSpec
from .stage import StageEntry

SCHEMA_VERSION = 1


class Progress(Protocol):
    """Where long work says how far it is. Calls are cheap; the listener decides how often to draw."""

    def start(self, label: str, total: int | None = None, unit: str = "steps", done: int = 0) -> None:
        """Begin a bar; `total` None means unknown, `done` is what earlier work has done of it."""
        ...

    def advance(self, amount: int = 1, **facts: float | str) -> None:
        """Move the bar and show facts beside it, such as loss=1.2."""
        ...

    def finish(self) -> None:
        """Close the bar."""
        ...


class SilentProgress:
    """Progress that nobody watches."""

    def start(self, label: str, total: int | None = None, unit: str = "steps", done: int = 0) -> None:
        """Do nothing."""

    def advance(self, amount: int = 1, **facts: float | str) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


def _ignore(kind: str, /, **facts: Any) -> None:
    return


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights on disk. `format` is `full` or `adapter`; an adapter names the `base` that it fits.

    `last` are the weights of the last step, where validation chose those of an earlier one.
    """

    path: Path
    format: str = "full"
    base: str = ""
    step: int | None = None
    last: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class RunContext:
    """Where a stage works and as which process. Plugins write under `directory` and nowhere else.

    `event(kind, **facts)` appends to the run's events; facts must be JSON. `prompt` is the format that
    the requests and pairs were rendered with. `event("note", text=...)` is for what a reader of the
    numbers must know: the record keeps it and the table shows it as a footnote. `inputs` are the
    checkpoints of other stages that this one needs, by the names it gave them, such as `reward`. `stage`
    is the stage that is trained, where a plugin brought it. With `other_prompt` a checkpoint may be asked
    with another prompt or template than it was trained with.
    """

    directory: Path
    spec: RunSpec
    prompt: PromptFormat | None = None
    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    progress: Progress = field(default_factory=SilentProgress)
    event: Callable[..., None] = _ignore
    inputs: Mapping[str, Checkpoint] = field(default_factory=dict)
    stage: StageEntry | None = None
    other_prompt: bool = False

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything needed to trust a run's numbers and to repeat it. Written last, as `record.json`."""

    schema_version: int
    run_id: str
    command: tuple[str, ...]
    spec: Mapping[str, Any]
    sources: Mapping[str, str]  # where each value of the spec came from
    sample: bool  # True: built-in or made-up data, not comparable with anything published
    task_version: str
    data_digest: str
    data_source: str
    rows: int
    prompt_digest: str
    checkpoint_digest: str
    training: tuple[Mapping[str, Any], ...]  # one summary a stage: directory, key, seconds, log facts
    scores: Mapping[str, Mapping[str, Any]]
    counts: Mapping[str, int]  # finish reasons and notes: length, empty, prompt-truncated-left, …
    seconds: Mapping[str, float]
    peak_memory_mib: Mapping[str, float]
    plugins: tuple[Mapping[str, Any], ...]
    environment: Mapping[str, Any]
    notes: tuple[str, ...] = ()  # sentences a reader of the table must know, from data, training, generation
    overlap: Mapping[str, Any] = field(default_factory=dict)  # rows that training gives away
    files: Mapping[str, str] = field(default_factory=dict)  # digests of answers, predictions and scores
    series: str = ""  # what it shares with runs that differ in their seeds alone
    started: str = ""
    finished: str = ""
