"""The loss of a large vocabulary without its logits: `linear_cross_entropy` in place of the output layer.

A model of 32,000 words makes 32,000 numbers of each token and keeps them for the way back, more than all
else that it keeps. torch goes through them in pieces instead, and only tokens that are learned take part.
While the loss is computed, the layer that makes words says the loss and no words; so whatever wraps the
model, processes and adapters included, is called as ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional

from .batching import IGNORED

LEAST = 32_000  # words: with so many it was measured to take less memory and less time (training-loss.md)
PIECE = 128  # tokens at a time on a CPU: torch would take 4 of a narrow model, and be slower than with logits

_agrees: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()  # with the model's own loss


def head_of(model: nn.Module, batch: Mapping[str, Tensor]) -> nn.Linear | None:
    """Return the output layer of a model whose loss can be had without logits, or None."""
    head = _plain_head(model)
    if head is None or head.weight.ndim != 2 or head.weight.shape[0] < LEAST:
        return None
    if head not in _agrees:
        _agrees[head] = _is_all_that_the_loss_is_made_of(model, head, batch)
    return head if _agrees[head] else None


def sum_of_losses(model: nn.Module, head: nn.Linear, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the loss of the labels of a batch, summed."""
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    labels, causal = batch["labels"], not _of(model).config.is_encoder_decoder
    if causal:
        labels = functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
    elif "decoder_input_ids" not in inputs:
        inputs["decoder_input_ids"] = _of(model).prepare_decoder_input_ids_from_labels(labels)
    with _saying_the_loss(head, labels):
        found: Tensor = model(**inputs).logits
    return found


@contextmanager
def _saying_the_loss(head: nn.Linear, labels: Tensor) -> Iterator[None]:
    """Let the output layer return the summed loss of its words; what calls it does not know."""
    learned = labels != IGNORED

    def forward(input: Tensor) -> Tensor:
        rows, weight = _in_its_format(input[learned], head.weight)
        return functional.linear_cross_entropy(
            rows,
            weight,
            labels[learned],
            linear_bias=head.bias,
            reduction="sum",
            options=_pieces(input.device),
        )

    head.forward = forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        del head.forward


def _pieces(device: torch.device) -> Any:
    """Return how many tokens are compared at a time: on a GPU as torch has measured it there."""
    options = nn.LinearCrossEntropyOptions
    return options(batch_chunk_size=PIECE, chunking_method=None) if device.type == "cpu" else options()


def _in_its_format(states: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return both in the number format of autocast, which does not know this function."""
    kind = states.device.type
    if not torch.is_autocast_enabled(kind):
        return states, weight
    dtype = torch.get_autocast_dtype(kind)
    return states.to(dtype), weight.to(dtype)


def _plain_head(model: nn.Module) -> nn.Linear | None:
    """Return the output layer where it is whole, no adapter is on it, and nothing else joins the loss."""
    base = _of(model)
    if not hasattr(functional, "linear_cross_entropy") or not hasattr(base, "get_output_embeddings"):
        return None
    head = base.get_output_embeddings()
    if type(head) is not nn.Linear or type(head.weight) is not nn.Parameter or "forward" in vars(head):
        return None
    return None if getattr(base.config, "router_aux_loss_coef", None) else head


def _of(model: nn.Module) -> Any:
    return getattr(model, "module", model)


@torch.no_grad()
def _is_all_that_the_loss_is_made_of(model: nn.Module, head: nn.Linear, batch: Mapping[str, Tensor]) -> bool:
    """Ask both ways for the loss of one row: some models do more with logits than to compare them."""
    base = _of(model)
    row = {key: value[:1] for key, value in batch.items()}
    was_training = base.training
    base.eval()
    try:
        with torch.autocast(head.weight.device.type, enabled=False):
            mean = float(base(**row).loss)
            labels = row["labels"] if base.config.is_encoder_decoder else row["labels"][:, 1:]
            own = float(sum_of_losses(base, head, row)) / max(1, int((labels != IGNORED).sum()))
    finally:
        base.train(was_training)
    return math.isclose(own, mean, rel_tol=1e-4)
