"""What is minimised: a function from a model and a batch to one loss.

An objective returns the mean over the batch's learned tokens; `fit` weighs the batches of a step by
their learned tokens, so the result does not depend on how rows are cut into micro-batches or shared
among processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor, nn


class Objective(Protocol):
    """Anything that can be called with a model and a batch."""

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor], /) -> Tensor:
        """Return the mean loss over the batch's learned tokens."""
        ...


def model_loss(model: nn.Module, batch: Mapping[str, Tensor], /) -> Tensor:
    """Return the loss that a Hugging Face model computes from its `labels`."""
    loss: Tensor = model(**batch).loss
    return loss
