"""Mechanism of action: the rows and the question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import Example, PromptFormat, Task
from harness.data.csv_rows import read_csv

SPLITS = ("train", "validation", "test")


class Moa(Task):
    """SMILES in, mechanism out."""

    metrics = ("accuracy", "macro-f1", "mcc", "rouge-l")
    prompt_format = PromptFormat("moa", "SMILES: {smiles}\nMechanism of action:")
    sources: Mapping[str, str] = {
        "sample": "3,400 synthetic molecules of two cores, with the mechanism of the one that is not capped",
        "dir": "train.csv, validation.csv and test.csv with the columns smiles and moa",
    }
    synthetic = ("sample",)
    licence = "Apache-2.0 (the built-in sample)"
    files: Mapping[str, str] = {
        "train.csv, validation.csv, test.csv": "smiles and moa, the mechanism in words"
    }

    def splits(self) -> tuple[str, ...]:
        """Name the splits that are there."""
        if self.data.source == "sample":
            return SPLITS
        return tuple(split for split in SPLITS if (Path(self.data.source) / f"{split}.csv").is_file())

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the molecules of a split."""
        for number, (smiles, moa) in enumerate(self._rows(split)):
            yield Example(f"{split}-{number:05d}", {"smiles": smiles}, (moa,))

    def _rows(self, split: str) -> Iterator[tuple[str, str]]:
        if self.data.source != "sample":
            path = Path(self.data.source) / f"{split}.csv"
            yield from ((row["smiles"], row["moa"]) for _, row in read_csv(path, ("smiles", "moa")))
            return
        from .sample import sample  # here, so that showing the task does not import RDKit

        yield from sample()[split]
