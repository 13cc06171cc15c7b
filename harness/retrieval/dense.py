"""Search among vectors: exactly by one product, or by faiss where there are very many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from harness.api import Hit, Index

from .embeddings import Vectors
from .ranking import best

MANY = 50_000  # texts from which on faiss answers faster than one product


class DenseIndex(Index):
    """Vectors of texts; a query's nearest are those with the highest dot product. Always exact."""

    def __init__(self, vectors: Vectors, embed: Callable[[str], Vectors]) -> None:
        self._embed = embed
        self._vectors = vectors
        self._faiss: Any = None
        if len(vectors) >= MANY and find_spec("faiss") is not None:
            import faiss  # here, because only corpora of many papers are worth it

            self._faiss = faiss.IndexFlatIP(vectors.shape[1])
            self._faiss.add(vectors)

    def search(self, query: str, k: int) -> Sequence[Hit]:
        """Return the nearest texts."""
        vector = self._embed(query)
        if self._faiss is None:
            return best(self._vectors @ vector, k) if len(self._vectors) else []
        scores, places = self._faiss.search(vector[None], min(k, len(self._vectors)))
        return [Hit(int(place), float(score)) for place, score in zip(places[0], scores[0], strict=True)]
