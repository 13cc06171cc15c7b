"""Optimizers by name, with weight-decay groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from harness.api import TrainSpec, UsageError

from .muon import Muon
from .settings import FitOptions

Named = list[tuple[str, nn.Parameter]]


class OptimizerSet:
    """One or more optimizers that step together; each group keeps its own base rate."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self.optimizers = list(optimizers)
        for group in self.groups:
            group["base_lr"] = group["lr"]

    @property
    def groups(self) -> list[dict[str, Any]]:
        """All parameter groups."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def set_factor(self, factor: float) -> None:
        """Set every group's rate to its base rate times `factor`."""
        for group in self.groups:
            group["lr"] = group["base_lr"] * factor

    def step(self, scaler: torch.amp.GradScaler | None = None) -> None:
        """Update the weights; with a scaler, skip the update where gradients overflowed."""
        for optimizer in self.optimizers:
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
        if scaler is not None:
            scaler.update()

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """Return the state of each optimizer."""
        return [optimizer.state_dict() for optimizer in self.optimizers]

    def load_state_dict(self, states: Sequence[dict[str, Any]]) -> None:
        """Take over saved states."""
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(state)


def build(model: nn.Module, spec: TrainSpec, options: FitOptions) -> OptimizerSet:
    """Return the optimizers that `spec.optimizer` names, over the trainable parameters."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not named:
        raise UsageError(
            "the model has no trainable parameters", hint="an adapter may have been loaded frozen"
        )
    if spec.optimizer == "muon":
        return _muon(model, named, spec, options)
    return OptimizerSet([_adam(named, spec, options, spec.learning_rate)])


def _muon(model: nn.Module, named: Named, spec: TrainSpec, options: FitOptions) -> OptimizerSet:
    tables = {id(p) for p in _embeddings(model)}
    matrices = [(n, p) for n, p in named if p.ndim in (2, 3) and id(p) not in tables]
    chosen = {id(p) for _, p in matrices}
    rest = [(n, p) for n, p in named if id(p) not in chosen]
    optimizers: list[torch.optim.Optimizer] = []
    if matrices:
        groups = _decay_groups(matrices, spec, options)
        optimizers.append(Muon(groups, lr=spec.learning_rate, momentum=options.momentum))
    if rest:
        rate = options.rest_learning_rate or spec.learning_rate
        optimizers.append(_adam(rest, spec, options, rate))
    return OptimizerSet(optimizers)


def _embeddings(model: nn.Module) -> list[Tensor]:
    """Embedding tables and output heads: lookups by token, which Muon's geometry does not fit."""
    found = [m.weight for m in model.modules() if isinstance(m, nn.Embedding)]
    head = getattr(model, "get_output_embeddings", lambda: None)()
    if head is not None:
        found.append(head.weight)
    return found


def _adam(named: Named, spec: TrainSpec, options: FitOptions, rate: float) -> torch.optim.Optimizer:
    groups = _decay_groups(named, spec, options)
    settings = {"lr": rate, "betas": spec.betas, "eps": options.adam_epsilon}
    if spec.optimizer == "adamw8bit":
        return _adamw8bit(groups, settings)
    kind = torch.optim.Adam if spec.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, fused=_can_fuse(named), **settings)  # type: ignore[arg-type]


def _adamw8bit(groups: list[dict[str, Any]], settings: dict[str, Any]) -> torch.optim.Optimizer:
    from bitsandbytes.optim import AdamW8bit  # optional

    optimizer: torch.optim.Optimizer = AdamW8bit(groups, **settings)
    return optimizer


def _can_fuse(named: Named) -> bool:
    return all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for _, p in named)


def _decay_groups(named: Named, spec: TrainSpec, options: FitOptions) -> list[dict[str, Any]]:
    def decays(name: str, parameter: nn.Parameter) -> bool:
        if options.no_decay is None:
            return parameter.ndim >= 2
        return not any(part in name for part in options.no_decay)

    decayed = [p for n, p in named if decays(n, p)]
    plain = [p for n, p in named if not decays(n, p)]
    groups = [
        {"params": decayed, "weight_decay": spec.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
