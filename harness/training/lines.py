"""Asking a model for a number a line of some rows, all processes together and nothing learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .batching import Collator, EncodedRows, Segment, Unit, share
from .modes import caching
from .replicated import Replicated

Ask = Callable[[nn.Module, Mapping[str, Tensor]], Tensor]


@torch.no_grad()
def numbers_of_lines(
    ask: Ask, model: nn.Module, rows: EncodedRows, collate: Collator, strategy: Replicated, size: int
) -> list[Sequence[float]]:
    """Return for each row what `ask` gives for its lines; each process asks its share, and all know all."""
    group, parts = strategy.group, len(rows.shape.parts)
    found = np.zeros((len(rows), parts))
    order: list[Unit] = [(Segment(int(row)),) for row in np.argsort(-rows.lengths, kind="stable")]
    size = max(size, group.world_size)
    was_training = model.training
    model.eval()
    try:
        with caching(model, False), strategy.forward_context():
            for start in range(0, len(order), size):
                mine, weightless = share(order[start : start + size], group.rank, group.world_size)
                inputs = {key: value.to(group.device) for key, value in collate(mine).inputs.items()}
                answers = ask(model, inputs).float().reshape(parts, len(mine)).T.cpu().numpy()
                if not weightless:
                    found[[unit[0].row for unit in mine]] = answers
    finally:
        model.train(was_training)
    whole = np.array(group.total(found.reshape(-1).tolist())).reshape(found.shape)
    return [row.tolist() for row in whole]
