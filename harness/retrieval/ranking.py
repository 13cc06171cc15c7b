"""The best of many scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.api import Hit


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
