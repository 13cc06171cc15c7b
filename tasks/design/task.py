"""The ways of asking for a molecule."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness import DataError, DataReport, Example, PromptFormat, Request, Task, TaskOptions, UsageError
from harness.chem.reading import RULE, read_molecule

# What needs RDKit is imported where it is used, because showing a task must not import it.
if TYPE_CHECKING:
    from .rows import Row


@dataclass(frozen=True, slots=True)
class Repeats(TaskOptions):
    """`--set task.repeats=8` asks each request of validation and test eight times, under ids of their own."""

    repeats: int = 1

    def __post_init__(self) -> None:
        """Refuse to ask less than once."""
        if self.repeats < 1:
            raise UsageError(f"task.repeats is {self.repeats}, expected 1 or more")


class Design(Task):
    """Requests for molecules, whatever they ask for; the answer in the data is one of many."""

    Options = Repeats
    metrics = ("all-met", "all-met-unseen", "share-met", "validity", "uniqueness", "novelty")
    synthetic = ("sample",)
    licence = "Apache-2.0"
    files: Mapping[str, str] = {
        "train.jsonl, validation.jsonl, test.jsonl": "requests: constraints, and an answer to learn from"
    }
    prose = RULE
    given: ClassVar[bool] = False  # whether each row has a molecule to change
    options: Repeats

    @abstractmethod
    def sample(self) -> Mapping[str, list[Row]]:
        """Return the built-in rows."""

    def splits(self) -> tuple[str, ...]:
        """Name the splits that are there."""
        if self.data.source == "sample":
            return super().splits()
        from .files import splits

        return splits(Path(self.data.source))

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the requests of a split, each as often as it is asked."""
        asked = map(self._example, self._rows(split))
        return asked if split == self.data.train_split else chain.from_iterable(map(self._repeated, asked))

    def answer(self, text: str, request: Request) -> str:
        """Read the molecule, out of prose where that is asked for."""
        return read_molecule(text) if self.reads_prose else text.strip()

    def canonical(self, text: str) -> str:
        """Return the canonical SMILES of an answer."""
        from harness.chem.smiles import canonical  # here, so that showing the task does not import RDKit

        return canonical(text)

    def _rows(self, split: str) -> Iterable[Row]:
        if self.data.source == "sample":
            return self.sample()[split]
        from .files import read

        skip = self.data.skip_bad_rows
        return read(Path(self.data.source), split, given=self.given, skip_bad_rows=skip, notes=self.notes)

    def _example(self, row: Row) -> Example:
        from harness.chem.constraints import as_meta

        from .asking import in_words

        given = {"smiles": row.given} if row.given else {}
        wanted = row.wanted or ", ".join(map(in_words, row.constraints))
        meta = {"constraints": as_meta(row.constraints), "combination": row.combination, "request": row.id}
        return Example(row.id, {**given, "wanted": wanted}, (row.answer,) if row.answer else (), meta)

    def _repeated(self, example: Example) -> Iterator[Example]:
        if self.options.repeats == 1:
            yield example
            return
        for number in range(self.options.repeats):
            name = f"{example.id}#{number}"
            yield Example(name, example.inputs, example.references, example.meta)

    def target(self, example: Example) -> str:
        """Return the molecule to learn."""
        if not example.references:
            raise DataError(f"request '{example.id}' has no answer to learn from")
        return example.references[0]

    def check(self) -> DataReport:
        """Validate every row of the chosen source."""
        if self.data.source == "sample":
            return super().check()
        from .files import check

        return check(Path(self.data.source), given=self.given)

    def seen_in_training(
        self, train: Iterable[Example], rows: Sequence[Example]
    ) -> Mapping[str, frozenset[str]]:
        """Return which rows ask for what a training row asks for."""
        known = {_request(example) for example in train}
        return {"request": frozenset(row.id for row in rows if _request(row) in known)}


def _request(example: Example) -> tuple[str, frozenset[str]]:
    """Return what is asked for, in whatever order and words."""
    return example.inputs.get("smiles", ""), frozenset(map(repr, example.meta["constraints"]))


class Constraints(Design):
    """What is asked for is all there is."""

    prompt_format = PromptFormat("design-constraints", "Wanted: {wanted}\nSMILES:")
    sources: Mapping[str, str] = {
        "sample": "6,840 requests for generated molecules; half of test asks for unseen combinations",
        "dir": "requests of your own as JSON rows",
    }

    def sample(self) -> Mapping[str, list[Row]]:
        """Return the built-in rows."""
        from .sample import requests

        return requests()


class Edit(Design):
    """A molecule is given and has to be changed."""

    prompt_format = PromptFormat("design-edit", "Given: {smiles}\nWanted: {wanted}\nSMILES:")
    sources: Mapping[str, str] = {
        "sample": "3,420 edits of generated molecules; half of test asks for unseen combinations",
        "dir": "requests of your own as JSON rows, each with a molecule to change",
    }
    given = True

    def sample(self) -> Mapping[str, list[Row]]:
        """Return the built-in rows."""
        from .edits import edits

        return edits()

    def picture(self, example: Example, answer: str) -> str:
        """Draw the given molecule beside the answer, what they share in colour."""
        from harness.chem.pictures import comparison

        return comparison(example.inputs["smiles"], answer)
