"""Promoter prediction: the rows, the question and its two answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import DataError, Example, PromptFormat, Task
from harness.data.csv_rows import read_csv
from harness.data.text_lines import shown

from .sample import sample

CHOICES = ("no", "yes")
FILES = {"train": ("train.csv",), "validation": ("dev.csv", "validation.csv"), "test": ("test.csv",)}


class Promoter(Task):
    """DNA in, yes or no out."""

    metrics = ("accuracy", "macro-f1", "mcc")
    prompt_format = PromptFormat("promoter", "DNA: {dna}\nIs this a promoter?")
    sources: Mapping[str, str] = {
        "sample": "2,500 synthetic sequences of 70 bases with planted motifs, half of them promoters",
        "dir": "train.csv, dev.csv and test.csv with the columns sequence and label, as in GUE",
    }
    synthetic = ("sample",)
    licence = "Apache-2.0 (the built-in sample)"
    files: Mapping[str, str] = {"train.csv, dev.csv, test.csv": "sequence and label (1: promoter, 0: none)"}
    homepage = "https://github.com/MAGICS-LAB/DNABERT_2"

    def splits(self) -> tuple[str, ...]:
        """Name the splits that are there."""
        if self.data.source == "sample":
            return tuple(FILES)
        return tuple(split for split in FILES if self._file(split) is not None)

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the sequences of a split."""
        rows = sample()[split] if self.data.source == "sample" else self._read(split)
        for number, (dna, positive) in enumerate(rows):
            yield Example(f"{split}-{number:05d}", {"dna": dna}, (CHOICES[positive],), choices=CHOICES)

    def _file(self, split: str) -> Path | None:
        found = (Path(self.data.source) / name for name in FILES[split])
        return next((path for path in found if path.is_file()), None)

    def _read(self, split: str) -> Iterator[tuple[str, bool]]:
        path = self._file(split) or Path(self.data.source) / FILES[split][0]
        return (_row(row, f"{path}:{line}") for line, row in read_csv(path, ("sequence", "label")))


def _row(row: Mapping[str, str], where: str) -> tuple[str, bool]:
    sequence, label = row["sequence"], row["label"]
    if label not in ("0", "1"):
        raise DataError(f"{where}: expected a label 0 or 1, found {shown(label)}")
    if unknown := set(sequence.upper()) - set("ACGTUN"):
        raise DataError(f"{where}: {', '.join(sorted(unknown))} in a nucleotide sequence")
    return sequence.upper(), label == "1"
