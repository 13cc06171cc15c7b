"""Retrievers that do not read: what any other must beat."""

from __future__ import annotations

import random
from collections.abc import Sequence

from harness.api import Hit, Index, Retriever


class First(Retriever):
    """The first texts."""

    def index(self, texts: Sequence[str]) -> Index:
        """Count the texts."""
        return _First(len(texts))


class _First(Index):
    def __init__(self, size: int) -> None:
        self._size = size

    def search(self, query: str, k: int) -> Sequence[Hit]:
        return [Hit(place, -float(place)) for place in range(min(k, self._size))]


class Random(Retriever):
    """Texts drawn at random; the query is the seed, so that nothing depends on the order of asking."""

    def index(self, texts: Sequence[str]) -> Index:
        """Count the texts."""
        return _Random(len(texts))


class _Random(Index):
    def __init__(self, size: int) -> None:
        self._size = size

    def search(self, query: str, k: int) -> Sequence[Hit]:
        places = random.Random(query).sample(range(self._size), min(k, self._size))
        return [Hit(place, -float(rank)) for rank, place in enumerate(places)]
