"""The best of many scores, and the passages of many requests in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.api import Hit, Index, Request, Retriever


def best(scores: NDArray[Any], k: int) -> list[Hit]:
    """Return the `k` highest scores, highest first and the first of equals first."""
    k = min(k, len(scores))
    if k == 1:
        place = int(scores.argmax())
        return [Hit(place, float(scores[place]))]
    # A partial sort would take equals in any order: only what is above its bound is safe to drop.
    bound = np.partition(scores, len(scores) - k)[len(scores) - k] if k else np.inf
    places = np.flatnonzero(scores >= bound)
    order = places[np.argsort(-scores[places], kind="stable")][:k]
    return [Hit(int(place), float(scores[place])) for place in order]


def rank(
    retriever: Retriever, requests: Sequence[Request], depth: int
) -> Iterator[tuple[Request, tuple[str, ...]]]:
    """Yield each request with the ids of its `depth` nearest passages; its prompt is the question.

    Requests about one source share its index.
    """
    texts = dict.fromkeys(passage.text for request in requests for passage in request.passages)
    retriever.prepare(list(texts), [request.prompt for request in requests])
    indexes: dict[tuple[str, ...], Index] = {}
    for request in requests:
        source = tuple(passage.text for passage in request.passages)
        if source not in indexes:
            indexes[source] = retriever.index(source)
        hits = indexes[source].search(request.prompt, depth)
        yield request, tuple(request.passages[hit.place].id for hit in hits)
