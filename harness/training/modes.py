"""How a model is set while it learns, put back before it is saved or asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from harness.api import TrainSpec, UsageError

from .heads import base_of, body_of


@contextmanager
def learning(model: nn.Module, spec: TrainSpec) -> Iterator[None]:
    """Set training mode, noise, recomputed activations and compilation; caches off, without a trace."""
    noise = _add_noise(model, spec.neftune_alpha) if spec.neftune_alpha else None
    compiled = _compile(model) if spec.compile else None
    if spec.gradient_checkpointing:
        _checkpoint_gradients(model)
    model.train()
    try:
        with caching(model, False):
            yield
    finally:
        model.eval()
        if compiled is not None:
            compiled._compiled_call_impl = None
        if spec.gradient_checkpointing:
            _named(model, "activation_checkpointing_disable", "gradient_checkpointing_disable")()
        if noise is not None:
            noise.remove()


@contextmanager
def without_dropout(model: nn.Module) -> Iterator[None]:
    """Turn off all dropout of a model for a while: of its layers, its adapters and its attention."""
    before: list[tuple[nn.Module, str, float]] = []
    for module in model.modules():
        for name in ("p",) if isinstance(module, nn.Dropout) else ("dropout", "attention_dropout"):
            if isinstance(value := getattr(module, name, None), float):
                before.append((module, name, value))
                setattr(module, name, 0.0)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


@contextmanager
def caching(model: nn.Module, wanted: bool) -> Iterator[None]:
    """Turn the key-value cache on or off for a while; with it, packed rows are not kept apart."""
    config = getattr(model, "config", None)
    before = getattr(config, "use_cache", None)
    if before is not None:
        config.use_cache = wanted  # type: ignore[union-attr]
    try:
        yield
    finally:
        if before is not None:
            config.use_cache = before  # type: ignore[union-attr]


def _compile(model: nn.Module) -> nn.Module:
    """Compile the layers below the words, for as long as they learn; asked meanwhile, they run as they are.

    What turns states into words is left out: it may say the loss instead.
    """
    base = base_of(body_of(model))
    inner: nn.Module = getattr(base, "base_model", base)
    plain, learning = inner._call_impl, torch.compile(inner._call_impl, dynamic=True)

    def call(*inputs: Any, **named: Any) -> Any:
        return (learning if inner.training else plain)(*inputs, **named)

    inner._compiled_call_impl = call
    return inner


def _checkpoint_gradients(model: nn.Module) -> None:
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise UsageError(
            f"{type(model).__name__} cannot recompute its activations",
            hint="leave train.gradient_checkpointing out",
        )
    enable = _named(model, "activation_checkpointing_enable", "gradient_checkpointing_enable")
    enable({"use_reentrant": False})


def _named(model: nn.Module, name: str, before: str) -> Any:
    """Return a method by its name, or by the one that it has in older versions of transformers."""
    return getattr(model, name) if hasattr(model, name) else getattr(model, before)


def _add_noise(model: nn.Module, alpha: float) -> Any:
    """Add NEFTune's uniform noise to the input embeddings, scaled by alpha / sqrt(length x width)."""

    def noisy(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        if not module.training:
            return output
        size = alpha / math.sqrt(output.shape[-2] * output.shape[-1])
        return output + torch.empty_like(output).uniform_(-size, size)

    embeddings = model.get_input_embeddings()  # type: ignore[operator]
    return embeddings.register_forward_hook(noisy)
