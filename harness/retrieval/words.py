"""Retrieval by words: TF-IDF without any library, BM25 by bm25s."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.api import Hit, Index, Retriever

from .ranking import best

# Chinese is written without spaces: each of its characters stands for itself.
_WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W\u3400-\u4dbf\u4e00-\u9fff]+")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, and each Chinese character."""
    return _WORD.findall(text.lower())


class Tfidf(Retriever):
    """Cosine of TF-IDF vectors: a word counts as often as it occurs, times 1 + ln(texts / texts with it)."""

    def index(self, texts: Sequence[str]) -> Index:
        """Count the words of each text."""
        return _Tfidf(texts)


class _Tfidf(Index):
    """An inverted index of unit vectors."""

    def __init__(self, texts: Sequence[str]) -> None:
        counted = [Counter(words(text)) for text in texts]
        frequency = Counter(word for counts in counted for word in counts)
        self._idf = {word: float(np.log(len(texts) / n)) + 1.0 for word, n in frequency.items()}
        postings: dict[str, tuple[list[int], list[float]]] = {word: ([], []) for word in frequency}
        for place, counts in enumerate(counted):
            weights = {word: count * self._idf[word] for word, count in counts.items()}
            norm = sum(weight**2 for weight in weights.values()) ** 0.5
            for word, weight in weights.items():
                postings[word][0].append(place)
                postings[word][1].append(weight / norm)
        self._postings = {word: (np.array(p), np.array(w)) for word, (p, w) in postings.items()}
        self._size = len(texts)

    def search(self, query: str, k: int) -> Sequence[Hit]:
        scores = np.zeros(self._size)
        for word, count in Counter(words(query)).items():
            if word in self._postings:
                places, weights = self._postings[word]
                scores[places] += count * self._idf[word] * weights
        return best(scores, k)


class Bm25(Retriever):
    """BM25 in Lucene's form, k1 1.5 and b 0.75, over words that are no English stop words."""

    def index(self, texts: Sequence[str]) -> Index:
        """Score each word in each text ahead."""
        return _Bm25(texts)


class _Bm25(Index):
    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s  # here, because words alone need no library

        self._size = len(texts)
        self._stop = frozenset(bm25s.stopwords.STOPWORDS_EN)
        self._index: Any = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
        corpus = [self._kept(text) for text in texts]
        self._empty = not any(corpus)  # which bm25s cannot index
        if not self._empty:
            self._index.index(corpus, show_progress=False)

    def _kept(self, text: str) -> list[str]:
        return [word for word in words(text) if word not in self._stop]

    def search(self, query: str, k: int) -> Sequence[Hit]:
        asked = self._kept(query)
        scores = self._index.get_scores(asked) if asked and not self._empty else np.zeros(self._size)
        return best(scores, k)
