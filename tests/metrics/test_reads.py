"""What a card says that its metric reads of a row is what it looks at."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from harness import Annotation, Example, MetricEntry, Pairs, Passage, Prediction
from harness.metrics.cards import entries

EXAMPLE = Example(
    "1",
    {"question": "Which?"},
    ("CCO",),
    {
        "constraints": [{"measure": "rings", "high": 3}],
        "combination": "unseen",
        "request": "r",
        "question": "q",
        "notation": "smiles",
    },
    choices=("CCO", "CCC"),
    passages=(Passage("p", "CCO"),),
    annotations=(Annotation("extractive", ("p",), "a"),),
)
PREDICTION = Prediction("1", "CCO", "CCO", (-1.0, -2.0), "", ("p",), -1.0, 3)
ANSWER = {"id", "example_id", "text", "raw"}
# A shared reading of molecules reads both sides; a row is handed on whole, with its inputs.
BESIDES = {"validity": {"references"}, "validity@molt5": {"references"}, "mozi-rouge-lsum": {"inputs"}}


class Watched:
    """A row that notes which of its fields are looked at."""

    def __init__(self, row: object, seen: set[str]) -> None:
        self._row, self._seen = row, seen

    def __getattr__(self, name: str) -> Any:
        self._seen.add(name)
        return getattr(self._row, name)


class WatchedKeys(dict[str, Any]):
    """A mapping of meta that notes which keys are looked up."""

    def __init__(self, seen: set[str]) -> None:
        super().__init__(EXAMPLE.meta)
        self._seen = seen

    def get(self, key: str, default: Any = None) -> Any:
        self._seen.add(f"meta[{key}]")
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        return self.get(key)

    def __contains__(self, key: object) -> bool:
        self._seen.add(f"meta[{key}]")
        return super().__contains__(key)


def looked_at(card: MetricEntry) -> set[str]:
    """Run a metric on two rows and return what it looked at."""
    module, _, name = card.target.partition(":")
    seen: set[str] = set()
    example = Watched(EXAMPLE, seen)
    example.meta = WatchedKeys(seen)  # type: ignore[attr-defined]

    def training() -> list[str]:
        seen.add("training")
        return ["CCC"]

    rows: Any = [(example, Watched(PREDICTION, seen))] * 2
    getattr(import_module(module), name)(Pairs(rows, training_targets=training))
    return seen - ANSWER


LACKING = ("bertscore", "scibert", "t5", "lpm24-", "fcd", "jieba")  # these need files that may not be there
CARDS = [card for card in entries() if not any(part in card.name.replace("ada-t5", "") for part in LACKING)]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_names_what_its_metric_reads(card: MetricEntry) -> None:
    assert looked_at(card) - BESIDES.get(card.name, set()) == set(card.reads)


def test_a_metric_without_references_reads_none() -> None:
    free = {card.name for card in entries() if card.reference_free}
    assert free <= {card.name for card in entries() if "references" not in card.reads}
