"""An exponential moving average of the trainable weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor


class WeightAverage:
    """Follows the weights at `decay` a step; evaluation and the final checkpoint use the average."""

    def __init__(self, weights: Sequence[Tensor], decay: float) -> None:
        self.weights = list(weights)
        self.decay = decay
        self.average = [weight.detach().float().clone() for weight in self.weights]

    @torch.no_grad()
    def update(self) -> None:
        """Take one step towards the current weights."""
        torch._foreach_lerp_(self.average, [w.detach().float() for w in self.weights], 1 - self.decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average in place of the weights for a while."""
        kept = [weight.detach().clone() for weight in self.weights]
        self.take()
        try:
            yield
        finally:
            self._copy(kept)

    def take(self) -> None:
        """Put the average in place of the weights for good."""
        self._copy(self.average)

    @torch.no_grad()
    def _copy(self, values: Sequence[Tensor]) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.copy_(value)

    def save(self, folder: Path) -> None:
        """Write the average beside the weights."""
        torch.save(self.average, folder / "average.pt")

    def load(self, folder: Path) -> None:
        """Take over a saved average."""
        saved = torch.load(folder / "average.pt", map_location="cpu", weights_only=True)
        for own, value in zip(self.average, saved, strict=True):
            own.copy_(value)
