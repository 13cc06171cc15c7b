"""Captions that nearly repeat others: MinHash over word 8-grams finds candidates, Jaccard decides."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

WORDS = 8  # per gram
THRESHOLD = 0.8  # Jaccard similarity from which two captions are near-duplicates
BANDS, ROWS = 16, 4  # a pair at the threshold shares a band with probability 0.9998
_BATCH = 4096
_WORD = re.compile(r"\w+")
Hashes = NDArray[np.uint64]
_SEEDS: Hashes = np.random.default_rng(8).integers(1, 2**63, size=BANDS * ROWS, dtype=np.uint64) | np.uint64(
    1
)


def near_duplicates(train: Iterable[str], rows: Sequence[str]) -> set[int]:
    """Return the indices of `rows` that are near-duplicates of a caption in `train`.

    Grams are of lower-cased words; a caption shorter than a gram is one gram. `train` is read once, in
    batches.
    """
    grams = [gram for batch in _batches(rows) for gram in _grams(batch)]
    buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, bands in enumerate(_bands(grams)):
        for band in enumerate(bands.tolist()):
            buckets[band].append(index)
    found: set[int] = set()
    seen: set[bytes] = set()
    for batch in _batches(train):
        fresh = []
        for gram in _grams(batch):
            if (key := gram.tobytes()) not in seen:
                seen.add(key)
                fresh.append(gram)
        for gram, bands in zip(fresh, _bands(fresh), strict=True):
            near = {i for band in enumerate(bands.tolist()) for i in buckets.get(band, ())} - found
            found |= {i for i in near if _jaccard(gram, grams[i]) >= THRESHOLD}
    return found


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    texts = iter(texts)
    while batch := list(islice(texts, _BATCH)):
        yield batch


def _grams(texts: list[str]) -> list[Hashes]:
    """Return the sorted hashes of each text's word grams."""
    words = [_WORD.findall(text.lower()) or [""] for text in texts]
    vocabulary: dict[str, int] = {}
    for text in words:
        for word in text:
            if word not in vocabulary:
                vocabulary[word] = crc32(word.encode())
    result = []
    for text in words:
        codes = np.array([vocabulary[word] for word in text], dtype=np.uint64)
        width = min(WORDS, len(codes))
        gram = np.zeros(len(codes) - width + 1, dtype=np.uint64)
        for offset in range(width):
            gram = _mixed(gram ^ codes[offset : offset + len(gram)])
        result.append(np.unique(gram))
    return result


def _mixed(values: Hashes) -> Hashes:
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    return values ^ (values >> np.uint64(29))


def _bands(grams: list[Hashes]) -> Iterator[Hashes]:
    """Yield for each text its band keys: a hash of each ROWS minima."""
    for start in range(0, len(grams), _BATCH):
        part = grams[start : start + _BATCH]
        flat = np.concatenate(part)
        starts = np.cumsum([0, *(len(gram) for gram in part[:-1])])
        minima = np.stack([np.minimum.reduceat(_mixed(flat * seed), starts) for seed in _SEEDS], axis=1)
        keys = np.zeros((len(part), BANDS), dtype=np.uint64)
        for row in range(ROWS):
            keys = _mixed(keys ^ minima[:, row::ROWS])
        yield from keys


def _jaccard(a: Hashes, b: Hashes) -> float:
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)
