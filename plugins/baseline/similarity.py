"""Likeness of inputs: TF-IDF over words and over pieces of sequences, Morgan fingerprints of a SMILES."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness import Request, TrainPair

_WORD = re.compile(r"\w+")
_TRIGRAMS = 1 << 14
_PIECE = {"dna": 6, "rna": 6, "protein": 3}  # letters of the words that a sequence is cut into, by input


class Neighbours:
    """Finds the training row whose input is most like a request's; the first of equals."""

    def __init__(self, pairs: Sequence[TrainPair]) -> None:
        self._by_structure = all("smiles" in pair.inputs for pair in pairs)
        self._index: _Fingerprints | _Words
        if self._by_structure:
            self._index = _Fingerprints([pair.inputs["smiles"] for pair in pairs])
        else:
            self._index = _Words([_text(pair.prompt, pair.inputs) for pair in pairs])

    def nearest(self, request: Request) -> int:
        """Return the place of the most similar training row."""
        if self._by_structure:
            return self._index.nearest(request.inputs.get("smiles", ""))
        return self._index.nearest(_text(request.prompt, request.inputs))


def _text(prompt: str, inputs: Mapping[str, str]) -> str:
    return " ".join(_words(name, value) for name, value in inputs.items()) or prompt


def _words(name: str, value: str) -> str:
    """Return a text as it is and a sequence as all its pieces of equal length, which overlap."""
    size = _PIECE.get(name)
    if size is None or len(value) <= size:
        return value
    return " ".join(value[at : at + size] for at in range(len(value) - size + 1))


class _Words:
    """Cosine of TF-IDF vectors over an inverted index."""

    def __init__(self, texts: Sequence[str]) -> None:
        counted = [Counter(_WORD.findall(text.lower())) for text in texts]
        frequency = Counter(word for words in counted for word in words)
        self._idf = {word: float(np.log(len(texts) / n)) + 1.0 for word, n in frequency.items()}
        postings: dict[str, tuple[list[int], list[float]]] = {word: ([], []) for word in frequency}
        for place, words in enumerate(counted):
            weights = {word: count * self._idf[word] for word, count in words.items()}
            norm = sum(weight**2 for weight in weights.values()) ** 0.5
            for word, weight in weights.items():
                postings[word][0].append(place)
                postings[word][1].append(weight / norm)
        self._postings = {word: (np.array(p), np.array(w)) for word, (p, w) in postings.items()}
        self._rows = len(texts)

    def nearest(self, text: str) -> int:
        scores = np.zeros(self._rows)
        for word, count in Counter(_WORD.findall(text.lower())).items():
            if word in self._postings:
                places, weights = self._postings[word]
                scores[places] += count * self._idf[word] * weights
        return int(scores.argmax())


class _Fingerprints:
    """Tanimoto of Morgan fingerprints, radius 2, 2,048 bits; a molecule RDKit refuses is like none."""

    def __init__(self, smiles: Sequence[str]) -> None:
        # here, because a task without molecules needs no RDKit
        from rdkit import DataStructs
        from rdkit.Chem import rdFingerprintGenerator

        self._similarities = DataStructs.BulkTanimotoSimilarity
        self._generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
        self._known = [self._fingerprint(text) for text in smiles]

    def _fingerprint(self, smiles: str) -> Any:
        from rdkit import DataStructs

        from harness.chem.smiles import molecule

        mol = molecule(smiles)
        return DataStructs.ExplicitBitVect(2048) if mol is None else self._generator.GetFingerprint(mol)

    def nearest(self, smiles: str) -> int:
        return int(np.argmax(self._similarities(self._fingerprint(smiles), self._known)))


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
