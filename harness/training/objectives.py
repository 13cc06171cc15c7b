"""What is minimised: a function from a model and a batch to a sum and its weight.

The weight is what a batch counts: learned tokens where tokens are learned, pairs where pairs are, answers
where answers are. `fit` divides by the weight of the whole step, so the result does not depend on how rows
are cut into micro-batches or shared among processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from . import word_loss
from .batching import IGNORED

NOTHING: Mapping[str, Tensor] = {}


class Loss(NamedTuple):
    """The loss of a batch as a sum, what it is summed over, and sums of what is worth watching beside it."""

    sum: Tensor
    weight: Tensor | float
    facts: Mapping[str, Tensor] = NOTHING


class Objective(Protocol):
    """Anything that can be called with a model and a batch."""

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor], /) -> Loss:
        """Return the batch's loss, summed over what it weighs."""
        ...


def model_loss(model: nn.Module, batch: Mapping[str, Tensor], /) -> Loss:
    """Return the loss that a Hugging Face model computes from its `labels`, over the tokens it learns.

    Where the vocabulary is large it is computed without logits, which comes to the same.
    """
    labels = batch["labels"]
    weight = ((labels[:, 1:] if is_causal(model) else labels) != IGNORED).sum()
    if (head := word_loss.head_of(model, batch)) is not None:
        return Loss(precise(word_loss.sum_of_losses(model, head, batch)), weight)
    mean: Tensor = model(**batch).loss
    return Loss(precise(mean) * weight, weight)


def is_causal(model: nn.Module) -> bool:
    """Whether a model, wrapped or not, is a decoder alone, which predicts from each token the next."""
    config = getattr(getattr(model, "module", model), "config", None)
    return not getattr(config, "is_encoder_decoder", False)


def precise(value: Tensor) -> Tensor:
    """Return a value in which a mean survives being multiplied by its weight and divided again."""
    return value if value.device.type == "mps" else value.double()  # which has no double precision
