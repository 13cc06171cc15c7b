"""What must hold of a retriever: ranks that are the same again, each text once, nearest first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .checking import Check, NotHere, want
from .loading import Item

TEXTS = (
    "The model was trained on two hundred papers.",
    "Aspirin lowers fever and relieves pain.",
    "Zinc is bound by the protein's active site.",
    "The authors report an accuracy of ninety percent.",
    "Water boils at one hundred degrees.",
)


def made(item: Item) -> Any:
    """Return the retriever; one that takes a place cannot be made here."""
    if item.entry.takes:
        raise NotHere(f"it takes {item.entry.takes}")
    return item.load()()


def ranks(item: Item, query: str, k: int) -> list[tuple[int, float]]:
    """Search the texts."""
    return [(hit.place, hit.score) for hit in made(item).index(TEXTS).search(query, k)]


def finds_each_once(item: Item, folder: Path) -> None:
    """Ask for as many as there are, and for more."""
    for k in (1, 3, len(TEXTS), len(TEXTS) + 5):
        places = [place for place, _ in ranks(item, TEXTS[1], k)]
        want(len(places) == len(set(places)), f"{places} for k = {k}")
        want(len(places) <= min(k, len(TEXTS)), f"{len(places)} texts for k = {k}")
        want(all(0 <= place < len(TEXTS) for place in places), f"{places} of {len(TEXTS)} texts")


def nearest_first(item: Item, folder: Path) -> None:
    """Look at the order of scores."""
    scores = [score for _, score in ranks(item, TEXTS[1], len(TEXTS))]
    want(scores == sorted(scores, reverse=True), f"scores {scores}")


def the_same_twice(item: Item, folder: Path) -> None:
    """Search twice, with an index each."""
    one, other = ranks(item, TEXTS[2], 3), ranks(item, TEXTS[2], 3)
    want(one == other, f"{one}, then {other}")


def odd_texts_break_nothing(item: Item, folder: Path) -> None:
    """Search for odd texts, and among none."""
    for query in ("", "药物", "\0", "x" * 5000):
        made(item).index(TEXTS).search(query, 2)
    want(list(made(item).index(()).search("a", 2)) == [], "something found among no texts")


CHECKS = (
    Check("each-once", "at most k texts, each once", "rank every text once", finds_each_once),
    Check("nearest-first", "the highest score first", "sort by score", nearest_first),
    Check(
        "deterministic",
        "the same ranks again",
        "seed what is drawn by the query",
        the_same_twice,
    ),
    Check(
        "odd-texts",
        "no query and no lack of texts breaks it",
        "return nothing",
        odd_texts_break_nothing,
    ),
)
