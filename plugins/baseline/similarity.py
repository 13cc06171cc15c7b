"""Likeness of inputs: TF-IDF over words and over pieces of sequences, Morgan fingerprints of a SMILES."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness import Index, Request, TrainPair
from harness.retrieval.words import Tfidf

_TRIGRAMS = 1 << 14
_PIECE = {"dna": 6, "rna": 6, "protein": 3}  # letters of the words that a sequence is cut into, by input


class Neighbours:
    """Finds the training row whose input is most like a request's; the first of equals."""

    def __init__(self, pairs: Sequence[TrainPair]) -> None:
        self._by_structure = all("smiles" in pair.inputs for pair in pairs)
        if self._by_structure:
            # here, because a task without molecules needs no RDKit
            from harness.retrieval.structure import Morgan

            self._index: Index = Morgan().index([pair.inputs["smiles"] for pair in pairs])
        else:
            self._index = Tfidf().index([_text(pair.prompt, pair.inputs) for pair in pairs])

    def nearest(self, request: Request) -> int:
        """Return the place of the most similar training row."""
        structure = self._by_structure
        query = request.inputs.get("smiles", "") if structure else _text(request.prompt, request.inputs)
        return self._index.search(query, 1)[0].place


def _text(prompt: str, inputs: Mapping[str, str]) -> str:
    return " ".join(_words(name, value) for name, value in inputs.items()) or prompt


def _words(name: str, value: str) -> str:
    """Return a text as it is and a sequence as all its pieces of equal length, which overlap."""
    size = _PIECE.get(name)
    if size is None or len(value) <= size:
        return value
    return " ".join(value[at : at + size] for at in range(len(value) - size + 1))


def most_typical(texts: Sequence[str]) -> str:
    """Return the text nearest to the mean of all, by cosine over hashed character trigrams."""
    vectors = [_trigrams(text) for text in texts]
    total = np.zeros(_TRIGRAMS)
    for places, weights in vectors:
        total[places] += weights
    scores = [float(total[places] @ weights) for places, weights in vectors]
    return texts[int(np.argmax(scores))]


def _trigrams(text: str) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the places and the values of a text's unit vector."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    if len(codes) < 3:
        return np.empty(0, dtype=np.int64), np.empty(0)
    grams = (codes[:-2] * 961 + codes[1:-1] * 31 + codes[2:]) % _TRIGRAMS
    places, counts = np.unique(grams, return_counts=True)
    return places, counts / np.linalg.norm(counts)
