"""Several retrievers as one, by reciprocal rank fusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.api import Hit, Index, Retriever

from .ranking import best

DAMPING = 60  # of Cormack, Clarke and Büttcher, who proposed the method
DEPTH = 1000  # how far down each ranking counts


class Fused(Retriever):
    """Sums 1 / (60 + rank) over the rankings of several retrievers."""

    def __init__(self, retrievers: Sequence[Retriever]) -> None:
        self._retrievers = retrievers

    def prepare(self, texts: Sequence[str], queries: Sequence[str]) -> None:
        """Let each retriever prepare."""
        for retriever in self._retrievers:
            retriever.prepare(texts, queries)

    def index(self, texts: Sequence[str]) -> Index:
        """Let each retriever make an index."""
        return _Fused([retriever.index(texts) for retriever in self._retrievers], len(texts))


class _Fused(Index):
    def __init__(self, indexes: Sequence[Index], size: int) -> None:
        self._indexes = indexes
        self._size = size

    def search(self, query: str, k: int) -> Sequence[Hit]:
        scores = np.zeros(self._size)
        for index in self._indexes:
            for rank, hit in enumerate(index.search(query, max(k, DEPTH)), start=1):
                scores[hit.place] += 1 / (DAMPING + rank)
        return best(scores, k)
