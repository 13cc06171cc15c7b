"""Learning texts as they are: documents, pairs, and what an assistant says in a conversation."""

from __future__ import annotations

from harness.training.batching import Shape
from harness.training.stage import Stage


class FineTuning(Stage):
    """Learns the wanted answers."""


class Pretraining(Stage):
    """Learns documents whole, cut where they are longer than a line; an encoder-decoder learns pairs."""

    def shape_of(self, *, causal: bool) -> Shape:
        """Return rows that are cut; pairs of an encoder-decoder take turns between their directions."""
        return Shape(causal, cut=causal, alternate=not causal)
