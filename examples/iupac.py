"""iupac: name a molecule from its SMILES, out of the CSV beside this file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

from harness import DataError, Example, MetricEntry, Pairs, PromptFormat, Score, Task, TaskEntry, hookimpl

DATA = Path(__file__).with_suffix(".csv")


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    return [TaskEntry("iupac", "SMILES to IUPAC name", f"{__name__}:Iupac")]


@hookimpl
def harness_metrics() -> list[MetricEntry]:
    return [MetricEntry("name-similarity", "mean matching-block ratio", f"{__name__}:name_similarity")]


class Iupac(Task):
    licence = "CC0-1.0"
    metrics = ("exact-match", "name-similarity")
    prompt_format = PromptFormat("iupac", "Name this molecule: {smiles}")

    def examples(self, split: str) -> Iterator[Example]:
        if not DATA.exists():
            raise DataError(f"no data at {DATA}", hint="columns: split, id, smiles, name")
        with DATA.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["split"] == split:
                    yield Example(row["id"], {"smiles": row["smiles"]}, (row["name"],))


def name_similarity(pairs: Pairs) -> Score:
    """Mean over rows of twice the matching characters over all characters; no rows: undefined."""
    ratios = tuple(max(SequenceMatcher(None, p.text, r).ratio() for r in e.references) for e, p in pairs)
    return Score("name-similarity", sum(ratios) / len(ratios) if ratios else None, len(ratios), ratios)
