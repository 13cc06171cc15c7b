"""The key-value cache of a batch whose rows come and go.

Decoder positions are aligned to the right: every row's newest token is in the last column, so rows of
different lengths share one batch. Encoder positions are aligned to the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, EncoderDecoderCache

SLACK = 64  # columns allocated ahead; a plain dynamic layer copies its whole cache at every token


class Columns:
    """A tensor that grows in place along its next to last dimension, of which `filled` is what it holds."""

    def __init__(self, buffer: torch.Tensor, length: int) -> None:
        self._buffer = buffer
        self.filled = buffer.narrow(-2, 0, length)

    def append(self, states: torch.Tensor) -> torch.Tensor:
        """Write new columns behind the filled ones, and return all of them."""
        start = self.filled.shape[-2]
        end = start + states.shape[-2]
        if end > self._buffer.shape[-2]:
            *others, _, last = self.filled.shape
            self._buffer = self.filled.new_empty((*others, end + SLACK, last))
            self._buffer.narrow(-2, 0, start).copy_(self.filled)
        self._buffer.narrow(-2, start, end - start).copy_(states)
        self.filled = self._buffer.narrow(-2, 0, end)
        return self.filled


class GrowingLayer(DynamicLayer):
    """Keys and values of one layer, appended in place."""

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Start empty, with the shape and type of the first states."""
        self.adopt(Columns(key_states[:, :, :0], 0), Columns(value_states[:, :, :0], 0))

    def adopt(self, keys: Columns, values: Columns) -> None:
        """Hold these keys and values."""
        self._growing_keys, self._growing_values = keys, values
        self.keys, self.values = keys.filled, values.filled
        self.dtype, self.device = self.keys.dtype, self.keys.device
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append new states and return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = self._growing_keys.append(key_states)
        self.values = self._growing_values.append(value_states)
        return self.keys, self.values


def new_cache(config: Any) -> Cache:
    """Return an empty cache for one decoder; layers with full attention grow in place."""
    cache = DynamicCache(config=config)
    if not cache.layers:
        return Cache(layer_class_to_replicate=GrowingLayer)
    if all(type(layer) is DynamicLayer for layer in cache.layers):
        return Cache(layers=[GrowingLayer() for _ in cache.layers])
    return cache


def can_join(cache: Cache) -> bool:
    """Tell whether rows of several caches can be put into one."""
    return all(type(layer) is GrowingLayer for layer in cache.layers)


def gathered(
    parts: Sequence[tuple[torch.Tensor, torch.Tensor]],
    length: int,
    *,
    dim: int,
    slack: int = 0,
    align: str = "right",
) -> torch.Tensor:
    """Collect rows of several tensors into one whose dimension `dim` has `length` filled columns.

    Each part is (tensor, indices of its rows). Columns that a part lacks are zero; those it has too
    many are cut from the side that is padded.
    """
    first = parts[0][0]
    shape = list(first.shape)
    shape[0] = sum(len(rows) for _, rows in parts)
    shape[dim] = length + slack
    result = first.new_empty(shape)
    row = 0
    for tensor, rows in parts:
        kept = min(tensor.shape[dim], length)
        target = result[row : row + len(rows)]
        if align == "right":
            target.narrow(dim, 0, length - kept).zero_()
            target.narrow(dim, length - kept, kept).copy_(
                tensor.narrow(dim, tensor.shape[dim] - kept, kept)[rows]
            )
        else:
            target.narrow(dim, kept, length - kept).zero_()
            target.narrow(dim, 0, kept).copy_(tensor.narrow(dim, 0, kept)[rows])
        row += len(rows)
    return result


def join_caches(
    parts: Sequence[tuple[Cache, torch.Tensor]], length: int, *, slack: int = SLACK, align: str = "right"
) -> Cache:
    """Move the chosen rows of several caches into one cache of `length` columns.

    Each layer is given up as soon as it is moved, so that no two whole caches stand in memory.
    """
    layers = []
    for index in range(len(parts[0][0].layers)):
        keys, values = (
            gathered(
                [(getattr(cache.layers[index], name), rows) for cache, rows in parts],
                length,
                dim=2,
                slack=slack,
                align=align,
            )
            for name in ("keys", "values")
        )
        layer = GrowingLayer()
        layer.adopt(Columns(keys, length), Columns(values, length))
        layers.append(layer)
        for cache, _ in parts:
            cache.layers[index] = GrowingLayer()
    return Cache(layers=layers)


def bytes_per_column(cache: Cache | EncoderDecoderCache) -> float:
    """Return how many bytes one row needs for one more column, in all layers."""
    own = cache.self_attention_cache if isinstance(cache, EncoderDecoderCache) else cache
    total = 0.0
    for layer in own.layers:
        for tensor in (getattr(layer, "keys", None), getattr(layer, "values", None)):
            if tensor is not None and tensor.ndim == 4:
                total += tensor.shape[1] * tensor.shape[3] * tensor.element_size()
    return total
