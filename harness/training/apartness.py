"""Whether a model keeps packed documents apart: asked of the model itself before it is trained so."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harness.api import UsageError

from .batching import IGNORED, Collator, EncodedRows, Segment
from .modes import caching
from .objectives import Objective

LONGEST = 64  # tokens of a row that are looked at; enough to see, cheap with any model


def require_documents_apart(
    model: nn.Module, rows: EncodedRows, collate: Collator, objective: Objective
) -> None:
    """Refuse packing unless the loss of a row stays the same when the row packed before it changes.

    A model that ignores `position_ids`, or follows them only in some attention kernels, would let
    every document read the ones before it, without a word.
    """
    batch, cut = line_of_two(model, rows, collate)
    batch["labels"][:, :cut] = IGNORED
    changed = {key: value.clone() for key, value in batch.items()}
    changed["input_ids"][:, :cut] = batch["input_ids"][:, cut - 1 : cut]
    try:
        before, after = (loss_of(model, objective, inputs) for inputs in (batch, changed))
    except TypeError as failure:
        raise UsageError(
            f"{type(model).__name__} takes no position_ids and cannot keep packed rows apart",
            hint="--set train.packing=buckets",
        ) from failure
    if before != after:
        raise UsageError(
            f"{type(model).__name__} lets packed rows see each other: "
            f"another first row moves the loss of the second from {before:.6f} to {after:.6f}",
            hint="--set train.packing=buckets, or use an attention implementation that follows position_ids",
        )


def line_of_two(model: nn.Module, rows: EncodedRows, collate: Collator) -> tuple[dict[str, Tensor], int]:
    """Return a line of two documents on the model's device, and where the second begins."""
    first, second = (_piece(rows, row) for row in (0, len(rows) - 1))
    device = next(model.parameters()).device
    batch = {key: value.to(device) for key, value in collate([(first, second)]).inputs.items()}
    return batch, (first.stop or 0) - first.start


@torch.no_grad()
def loss_of(model: nn.Module, objective: Objective, inputs: Mapping[str, Tensor]) -> float:
    """Return the loss of a batch as the model would learn from it, without dropout."""
    was_training = model.training
    model.eval()
    try:
        with caching(model, False):
            loss = objective(model, inputs)
    finally:
        model.train(was_training)
    return float(loss.sum / loss.weight)


def _piece(rows: EncodedRows, row: int) -> Segment:
    """Return a short part of a row that has something to learn."""
    length = int(rows.lengths[row])
    for start in range(0, length, LONGEST):
        piece = Segment(row, start, min(start + LONGEST, length))
        if rows.weight_of(piece):
            return piece
    return Segment(row, 0, length)
