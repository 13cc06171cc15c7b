"""trigrams: finds texts that share runs of three letters with the question, whatever the language."""

from __future__ import annotations

from collections.abc import Sequence

from harness import Hit, Index, Retriever, RetrieverEntry, hookimpl


@hookimpl
def harness_retrievers() -> list[RetrieverEntry]:
    return [RetrieverEntry("trigrams", "the share of three-letter runs in common", f"{__name__}:Trigrams")]


class Trigrams(Retriever):
    def index(self, texts: Sequence[str]) -> Index:
        return Shared([runs(text) for text in texts])


class Shared(Index):
    def __init__(self, texts: list[set[str]]) -> None:
        self.texts = texts

    def search(self, query: str, k: int) -> list[Hit]:
        asked = runs(query)
        hits = [Hit(place, likeness(asked, text)) for place, text in enumerate(self.texts)]
        return sorted(hits, key=lambda hit: -hit.score)[:k]  # of equals the first stays first


def runs(text: str) -> set[str]:
    padded = f"  {text.lower()} "
    return {padded[start : start + 3] for start in range(len(padded) - 2)}


def likeness(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)
