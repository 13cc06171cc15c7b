"""How likely a model holds the answers of a batch: the log-probability of each labelled token."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .batching import IGNORED
from .objectives import is_causal


def log_probabilities(model: nn.Module, batch: Mapping[str, Tensor], without: Collection[str] = ()) -> Tensor:
    """Return lines x tokens: the log-probability of each label, 0 where there is none.

    `without` are keys of the batch that the model does not read.
    """
    inputs = {key: value for key, value in batch.items() if key not in without}
    causal = is_causal(model)
    logits: Tensor = model(**model_inputs(model, inputs)).logits
    return of_labels(predicting(logits, causal=causal), predicted(batch["labels"], causal=causal))


def predicting(values: Tensor, *, causal: bool) -> Tensor:
    """Return of values at each position those where a token is predicted: for a decoder, one earlier."""
    return values[:, :-1] if causal else values


def predicted(values: Tensor, *, causal: bool) -> Tensor:
    """Return of values of each token those of tokens that are predicted: of a decoder, all but the first."""
    return values[:, 1:] if causal else values


def model_inputs(model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return what the model reads of a batch: a decoder alone no labels, of which it would make a loss."""
    return {key: value for key, value in batch.items() if key != "labels" or not is_causal(model)}


def of_labels(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the log-probability of each label under its logits, 0 where there is none."""
    loss = functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return -loss.view(labels.shape)


def learned_tokens(labels: Tensor, *, causal: bool) -> Tensor:
    """Count the labels of each line that are learned."""
    return (predicted(labels, causal=causal) != IGNORED).sum(-1)


@torch.no_grad()
def entropy_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the entropy of each prediction that has a label, 0 elsewhere."""
    logs = logits.float().log_softmax(-1)
    return -(logs.exp() * logs).sum(-1) * (labels != IGNORED)
