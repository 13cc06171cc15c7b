"""Mechanism of action: the rows and the question."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import DataError, Example, PromptFormat, Task

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
            yield from _read(Path(self.data.source) / f"{split}.csv")
            return
        from .sample import sample  # here, so that showing the task does not import RDKit

        yield from sample()[split]


def _read(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for line, row in enumerate(csv.DictReader(file), start=2):
                if not row.get("smiles") or not row.get("moa"):
                    raise DataError(f"{path}:{line}: expected smiles and moa, found {dict(row)}"[:300])
                yield row["smiles"], row["moa"]
    except FileNotFoundError as error:
        raise DataError(f"no {path.name} in {path.parent}", hint="columns: smiles, moa") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8: {error}") from error
