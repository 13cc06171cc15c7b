"""Protein function as text: the rows and the question."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from harness import DataError, Example, PromptFormat, Task
from harness.data.json_items import read_objects

from .sample import sample

SPLITS = ("train", "validation", "test")


class ProteinFunction(Task):
    """Sequence in, description out; rows in the form of Mol-Instructions' protein-oriented instructions."""

    metrics = ("rouge-1", "rouge-2", "rouge-l", "bleu-4", "exact-match")
    prompt_format = PromptFormat("protein-function", "{instruction}\nProtein: {protein}\nFunction:")
    sources: Mapping[str, str] = {
        "sample": "1,980 synthetic sequences with planted motifs and what the motifs are for",
        "dir": "a JSON file of Mol-Instructions, or a folder with protein_function.json",
    }
    synthetic = ("sample",)
    files: Mapping[str, str] = {
        "protein_function.json": "records with instruction, input, output and metadata.split"
    }
    homepage = "https://github.com/zjunlp/Mol-Instructions"
    licence = "CC BY-NC-SA 4.0 (published data)"

    def splits(self) -> tuple[str, ...]:
        """Name the splits that are there."""
        if self.data.source == "sample":
            return SPLITS
        return tuple(split for split in SPLITS if split in self._published)

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the proteins of a split."""
        if self.data.source == "sample":
            instruction = "Say what this protein does."
            rows = [
                ({"instruction": instruction, "protein": sequence}, text)
                for sequence, text in sample()[split]
            ]
        else:
            rows = self._published.get(split, [])
        for number, (inputs, text) in enumerate(rows):
            yield Example(f"{split}-{number:05d}", inputs, (text,))

    @cached_property
    def _published(self) -> dict[str, list[tuple[dict[str, str], str]]]:
        path = Path(self.data.source)
        path = path / "protein_function.json" if path.is_dir() else path
        found: dict[str, list[tuple[dict[str, str], str]]] = {}
        for line, record in read_objects(path):
            split, inputs, text = _record(record, f"{path}:{line}")
            found.setdefault(split, []).append((inputs, text))
        return found


def _record(record: Mapping[str, Any], where: str) -> tuple[str, dict[str, str], str]:
    keys = ("instruction", "input", "output")
    if not all(isinstance(record.get(key), str) for key in keys):
        raise DataError(f"{where} has no texts {', '.join(keys)}")
    sequence = record["input"].strip().strip("`").strip()  # published sequences stand in a code fence
    if not (sequence.isascii() and sequence.replace("*", "").isalpha()):
        raise DataError(f"{where}: the input is no protein sequence: {sequence[:60]!r}")
    return (
        _split(record.get("metadata")),
        {"instruction": record["instruction"], "protein": sequence},
        record["output"],
    )


def _split(metadata: Any) -> str:
    """Read the split out of a record's metadata, which some files hold as the text of a dict."""
    if isinstance(metadata, str):
        try:
            metadata = ast.literal_eval(metadata)
        except (ValueError, SyntaxError):
            metadata = {}
    split = metadata.get("split", "train") if isinstance(metadata, dict) else "train"
    return {"valid": "validation", "dev": "validation"}.get(split, split)
