"""What a task plugin offers: rows, prompts, how an answer is read, and which metrics score it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .example import Example, PromptFormat, Request, TrainPair, TrainRow
from .spec import DataSpec


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """A task on the shelf. A group has `members` and no target. `kind` is `generate` or `choose`."""

    name: str
    summary: str
    target: str = ""
    requires: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    kind: str = "generate"
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)


class Task(ABC):
    """Base of a task. The module that defines it must be light: `show` imports it.

    `data` says which source was asked for. Override `examples`; the rest has defaults that fit most
    tasks. `prompt_format` is the task's own; a model plugin may bring another through `harness_prompt`.
    """

    version: str = "1"
    metrics: tuple[str, ...] = ()
    prompt_format: PromptFormat | None = None
    sources: Mapping[str, str] = {}  # source name -> what it is: "sample", "hub", "dir"
    synthetic: tuple[str, ...] = ("sample",)  # sources whose rows are made by our own code
    licence: str = ""
    citation: str = ""
    homepage: str = ""

    def __init__(self, data: DataSpec | None = None) -> None:
        self.data = data or DataSpec()

    @abstractmethod
    def examples(self, split: str) -> Iterator[Example]:
        """Yield the rows of a split in their fixed order."""

    def splits(self) -> tuple[str, ...]:
        """Name the splits of the chosen source."""
        return ("train", "validation", "test")

    def prompt(self, example: Example) -> str:
        """Return the exact prompt; without a format, the inputs one a line."""
        if self.prompt_format is not None:
            return self.prompt_format.render(example.inputs)
        return "\n".join(example.inputs.values())

    def target(self, example: Example) -> str:
        """Return the text that a model should learn to say."""
        return example.references[0]

    def request(self, example: Example, prompt: str) -> Request:
        """Wrap a prompt for the model; a task with choices adds them here."""
        return Request(example.id, prompt, example.inputs)

    def training_rows(self, example: Example, prompt: str) -> Iterator[TrainRow]:
        """Yield what is learned from one example."""
        yield TrainPair(prompt, self.target(example), example.inputs)

    def answer(self, text: str, request: Request) -> str:
        """Read the answer out of what the model said."""
        return text.strip()
