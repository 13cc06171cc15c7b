"""How much better than expected an answer, or a token of one, has turned out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Floats = np.ndarray

TINY = 1e-4  # beside a deviation, so that a group that agrees is not divided by nothing


def of_group(rewards: Floats, counts: Floats, *, scaled: bool) -> Floats:
    """Return what each answer of a group earns above the mean of all, in deviations where that is asked.

    `counts` says how often each answer was given.
    """
    total = counts.sum()
    above: Floats = rewards - (rewards * counts).sum() / total
    if not scaled:
        return above
    deviations: Floats = above / (np.sqrt((above**2 * counts).sum() / max(1, total - 1)) + TINY)
    return deviations


def leave_one_out(rewards: Floats, counts: Floats) -> Floats:
    """Return what each answer of a group earns above the mean of all the others."""
    total = counts.sum()
    above: Floats = rewards - ((rewards * counts).sum() - rewards) / (total - 1)
    return above


def generalised(rewards: Floats, values: Floats, *, discount: float, trace: float) -> tuple[Floats, Floats]:
    """Return the advantage of each token of an answer and what it was worth in the end (GAE).

    Each token's advantage is what the next one is worth more than was expected, and `trace` of what the
    tokens after it bring, discounted.
    """
    advantages = np.zeros_like(values)
    ahead = next_value = 0.0
    for place in reversed(range(len(values))):
        surprise = rewards[place] + discount * next_value - values[place]
        ahead = surprise + discount * trace * ahead
        advantages[place], next_value = ahead, values[place]
    return advantages, advantages + values


def whitened(parts: Sequence[Floats], *, centred: bool = True) -> list[Floats]:
    """Return numbers of several answers with the deviation 1 over all of them, and the mean 0."""
    together = np.concatenate(parts)
    mean = together.mean()
    scale = np.sqrt(together.var(ddof=1 if len(together) > 1 else 0) + 1e-8)
    return [(part - mean) / scale + (0.0 if centred else mean) for part in parts]
