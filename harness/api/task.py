"""What a task plugin offers: rows, prompts, how an answer is read, and which metrics score it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from .bounds import OneOf, Range
from .errors import DataError, UsageError
from .rows import TrainPair, TrainRow

if TYPE_CHECKING:
    from .example import Example, Request
    from .notice import Notice
    from .prompt import PromptFormat
    from .retrieval import Retriever
    from .spec import DataSpec


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """A task on the shelf. A group has `members` and no target. `kind` is generate, choose or perplexity.

    An `open` task may be named anew behind a slash, `table/my-questions`, for what it is opened on.
    `notice` is what people are told beside answers to it.
    """

    name: str
    summary: str
    target: str = ""
    requires: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    kind: str = "generate"
    open: bool = False
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    notice: Notice = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong about a row of a data file, or only odd (`bad` False: the row is used)."""

    kind: str
    file: str
    line: int
    expected: str
    found: str
    bad: bool = True
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a check of a data source saw; `findings` holds the first of each kind, `counts` all of them."""

    rows: Mapping[str, int]  # usable rows by split
    forms: Mapping[str, str] = field(default_factory=dict)  # file -> the form it was read in
    findings: tuple[Finding, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)  # kind of finding -> rows


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What `--set task.NAME=VALUE` changes on every task; a task with options of its own extends this.

    `shots` examples of `shots_split` stand before the question, never the row itself: drawn by
    `shots_seed`, or where `shots_by` names a retriever, those it finds nearest to the row. `ask` is how a
    choice is asked for: `likelihood` of each choice's text, `letters` (choices listed in the prompt,
    likelihood of each letter), `letter` (listed, and the letter is read out of what the model says), or
    `auto`: likelihood where the model can, else letter. `permute` is the seed by which choices change
    places, None for their own order; answers are mapped back. With `reading` `prose` an answer is read
    out of what a chat model says around it, where the task has a rule for that (`Task.prose`);
    `strict` takes what was said, and `auto` reads prose of models that know nothing of the task (hf, api),
    on tasks whose rule only finds what is wanted, such as a molecule, and never cuts free text.
    """

    shots: Annotated[int, Range(least=0)] = 0
    shots_split: str = "train"
    shots_seed: int = 0
    shots_by: str = "seed"
    ask: Annotated[str, OneOf("auto", "likelihood", "letters", "letter")] = "auto"
    permute: int | None = None
    reading: Annotated[str, OneOf("auto", "prose", "strict")] = "auto"


def _no_retriever(name: str) -> Retriever:
    raise UsageError(f"the task was opened without the harness, which knows what '{name}' is")


class Task(ABC):
    """Base of a task. The module that defines it must be light: `show` imports it.

    `data` says which source was asked for, `options` what `--set task.NAME=VALUE` changed. Override
    `examples`; the rest has defaults that fit most tasks. `prompt_format` is the task's own; a model
    plugin may bring another through `harness_prompt`.
    """

    Options: type[TaskOptions] = TaskOptions

    version: str = "1"
    kind: str = (
        ""  # generate, choose or perplexity, where it depends on the options; empty: as the entry says
    )
    metrics: tuple[str, ...] = ()
    prompt_format: PromptFormat | None = None
    prose: str = ""  # the rule, with its version, by which answers are read out of prose; empty: none
    prose_unasked: bool = True  # also where task.reading is auto and the model knows nothing of the task
    sources: Mapping[str, str] = {}  # source name -> what it is: "sample", "hub", "dir"
    synthetic: tuple[str, ...] = ()  # sources whose rows are made up by code, such as "sample"
    files: Mapping[str, str] = {}  # published files that are looked for -> what they hold
    licence: str = ""
    citation: str = ""
    homepage: str = ""

    def __init__(self, data: DataSpec | None = None, options: Any = None) -> None:
        from .spec import DataSpec  # here and below, because a listing opens no task

        self.data = data or DataSpec()
        self.options = self.Options() if options is None else options
        self.notes: list[str] = []  # what loading did that a reader of the record must know: skips, repairs
        self.reads_prose = self.options.reading == "prose"  # with `auto` the harness settles it
        self.open_retriever: Callable[[str], Retriever] = _no_retriever  # by name; the harness sets it

    @abstractmethod
    def examples(self, split: str) -> Iterator[Example]:
        """Yield the rows of a split in their fixed order."""

    def opened(self, name: str) -> None:  # noqa: B027  most are told nothing new
        """Take note of the name that an open task was asked for by, before anything else."""

    def settings(self) -> Mapping[str, Any]:
        """Return settings of a run that an open task brings, such as `generate.stop`; users override them."""
        return {}

    def splits(self) -> tuple[str, ...]:
        """Name the splits of the chosen source."""
        return ("train", "validation", "test")

    def check(self) -> DataReport:
        """Validate every row of the chosen source; without a closer look, rows that load are fine."""
        rows: dict[str, int] = {}
        findings: list[Finding] = []
        for split in self.splits():
            try:
                rows[split] = sum(1 for _ in self.examples(split))
            except DataError as error:
                wanted = f"a readable split '{split}'"
                finding = Finding("unreadable", self.data.source, 0, wanted, error.message, hint=error.hint)
                findings.append(finding)
        return DataReport(rows, {}, tuple(findings), {"unreadable": len(findings)} if findings else {})

    def seen_in_training(
        self, train: Iterable[Example], rows: Sequence[Example]
    ) -> Mapping[str, frozenset[str]]:
        """Return, by kind of overlap, the ids of `rows` that training rows give away; nothing by default."""
        return {}

    def fingerprint(self, split: str) -> str:
        """Return a digest of a split that is known without reading its rows, or nothing.

        A split with a fingerprint is streamed when it is learned from: it may be larger than memory,
        and `examples` is called once an epoch.
        """
        return ""

    def prompt(self, example: Example) -> str:
        """Return the exact prompt; without a format, the inputs one a line."""
        if self.prompt_format is not None:
            return self.prompt_format.render(example.inputs)
        return "\n".join(example.inputs.values())

    def target(self, example: Example) -> str:
        """Return the text that a model should learn to say."""
        return example.references[0]

    def request(self, example: Example, prompt: str) -> Request:
        """Wrap a prompt for the model; a task that shows only some passages says here which."""
        from .example import Request

        return Request(
            example.id, prompt, example.inputs, example.choices, example.messages, example.passages
        )

    def training_rows(self, example: Example, prompt: str) -> Iterator[TrainRow]:
        """Yield what is learned from one example."""
        yield TrainPair(prompt, self.target(example), example.inputs)

    def picture(self, example: Example, answer: str) -> str:
        """Return an SVG of a row beside an answer, such as two molecules; empty where it says nothing."""
        return ""

    def canonical(self, text: str) -> str:
        """Return the one spelling of an answer, such as a canonical SMILES; empty for what is none."""
        return text.strip()

    def answer(self, text: str, request: Request) -> str:
        """Read the answer out of what the model said."""
        return text.strip()
