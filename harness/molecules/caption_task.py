"""Molecule-caption tasks in both directions, over one set of rows and one split."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness import Example, PromptFormat, Task


@dataclass(frozen=True, slots=True)
class CaptionedMolecule:
    """One pair of a data set: a molecule, what is said of it, and where the row came from."""

    id: str
    smiles: str
    caption: str
    meta: Mapping[str, Any] = field(default_factory=dict)


class CaptionTask(Task):
    """A set of captioned molecules; a data set subclasses it once and mixes in a direction."""

    synthetic = ("sample",)

    @abstractmethod
    def molecules(self, split: str) -> Iterator[CaptionedMolecule]:
        """Yield the pairs of a split; both directions read the same ones."""

    @abstractmethod
    def example(self, row: CaptionedMolecule) -> Example:
        """Turn a pair into what is asked and what is wanted."""

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the examples of a split in the order of its rows."""
        return map(self.example, self.molecules(split))


class TextToSmiles(CaptionTask):
    """Direction: the caption is given, the SMILES is wanted."""

    metrics = (
        "molecule-exact",
        "smiles-bleu",
        "levenshtein",
        "validity",
        "maccs",
        "rdk",
        "morgan",
        "uniqueness",
        "novelty",
    )
    prompt_format = PromptFormat("text2smiles", "Description: {caption}\nSMILES:")

    def example(self, row: CaptionedMolecule) -> Example:
        """Ask for the molecule of a caption."""
        return Example(row.id, {"caption": row.caption}, (row.smiles,), row.meta)


class SmilesToText(CaptionTask):
    """Direction: the SMILES is given, the caption is wanted."""

    metrics = ("bleu-2", "bleu-4", "rouge-1", "rouge-2", "rouge-l", "meteor", "exact-match")
    prompt_format = PromptFormat("smiles2text", "SMILES: {smiles}\nDescription:")

    def example(self, row: CaptionedMolecule) -> Example:
        """Ask for the caption of a molecule."""
        return Example(row.id, {"smiles": row.smiles}, (row.caption,), row.meta)
