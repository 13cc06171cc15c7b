"""Asking a model about the lines of some rows, all processes together and nothing learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from .batching import Collator, EncodedRows, Segment, Unit, share
from .distributed import Group
from .modes import caching
from .replicated import Replicated

Ask = Callable[[nn.Module, Mapping[str, Tensor]], Tensor]
Answer = TypeVar("Answer")


def numbers_of_lines(
    ask: Ask, model: nn.Module, rows: EncodedRows, collate: Collator, strategy: Replicated, size: int
) -> list[Sequence[float]]:
    """Return for each row a number for each of its lines; `ask` gives one a line."""
    found: dict[int, Sequence[float]] = {}
    for mine, answers in _asked(ask, model, rows, collate, strategy, size):
        of_rows = answers.reshape(len(rows.shape.parts), len(mine)).T
        found |= dict(zip(mine, of_rows.tolist(), strict=True))
    return _of_all(found, strategy.group)


def numbers_of_tokens(
    ask: Ask, model: nn.Module, rows: EncodedRows, collate: Collator, strategy: Replicated, size: int
) -> list[np.ndarray]:
    """Return for each row of one line an array of labels x numbers; `ask` gives lines x labels x numbers."""
    found: dict[int, np.ndarray] = {}
    for mine, answers in _asked(ask, model, rows, collate, strategy, size):
        for row, line in zip(mine, answers, strict=True):
            found[row] = line[: len(rows.values("labels", Segment(row)))]
    return _of_all(found, strategy.group)


@torch.no_grad()
def _asked(
    ask: Ask, model: nn.Module, rows: EncodedRows, collate: Collator, strategy: Replicated, size: int
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield this process's rows, and what they were answered; longest first, in batches of `size`."""
    group = strategy.group
    order: list[Unit] = [(Segment(int(row)),) for row in np.argsort(-rows.lengths, kind="stable")]
    size = max(size, group.world_size)
    was_training = model.training
    model.eval()
    try:
        for start in range(0, len(order), size):
            mine, weightless = share(order[start : start + size], group.rank, group.world_size)
            inputs = {key: value.to(group.device) for key, value in collate(mine).inputs.items()}
            with caching(model, False), strategy.forward_context():
                answers = ask(model, inputs).float().cpu().numpy()
            if not weightless:
                yield [unit[0].row for unit in mine], answers
    finally:
        model.train(was_training)


def _of_all(found: dict[int, Answer], group: Group) -> list[Answer]:
    """Return what all processes found, in the order of the rows."""
    whole: dict[int, Answer] = {}
    for part in group.gather(found):
        whole |= part
    return [whole[row] for row in sorted(whole)]
