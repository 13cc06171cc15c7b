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


class GrowingLayer(DynamicLayer):
    """Keys and values of one layer, appended in place."""

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Start empty, with the shape and type of the first states."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self.adopt(key_states[:, :, :0], value_states[:, :, :0], 0)

    def adopt(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        """Hold buffers of which the first `length` columns are filled."""
        self._key_buffer, self._value_buffer = keys, values
        self.keys, self.values = keys[:, :, :length], values[:, :, :length]
        self.dtype, self.device = keys.dtype, keys.device
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append new states and return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.keys.shape[2]
        end = start + key_states.shape[2]
        if end > self._key_buffer.shape[2]:
            room = end + SLACK
            self.adopt(_with_room(self.keys, room), _with_room(self.values, room), start)
        self._key_buffer[:, :, start:end] = key_states
        self._value_buffer[:, :, start:end] = value_states
        self.keys = self._key_buffer[:, :, :end]
        self.values = self._value_buffer[:, :, :end]
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
        keys = gathered(
            [(cache.layers[index].keys, rows) for cache, rows in parts],
            length,
            dim=2,
            slack=slack,
            align=align,
        )
        values = gathered(
            [(cache.layers[index].values, rows) for cache, rows in parts],
            length,
            dim=2,
            slack=slack,
            align=align,
        )
        layer = GrowingLayer()
        layer.adopt(keys, values, length)
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


def _with_room(tensor: torch.Tensor, room: int) -> torch.Tensor:
    grown = tensor.new_empty((*tensor.shape[:2], room, tensor.shape[3]))
    grown[:, :, : tensor.shape[2]] = tensor
    return grown
