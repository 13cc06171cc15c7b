"""Which training a state belongs to: model, data, prompt and every setting that changes the result."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import nn

from harness.api import RunContext, TrainData, TrainSpec
from harness.api.bounds import what_counts


def identity_of(
    model: nn.Module, data: TrainData, rows: str, spec: TrainSpec, run: RunContext
) -> dict[str, Any]:
    """Return what must be equal for a state to be continued."""
    settings = what_counts(spec)
    options = settings.pop("options")
    return {
        "model": run.spec.model,
        "architecture": architecture(model),
        "frozen weights": frozen_weights(model),
        "prompt": run.prompt.digest if run.prompt is not None else "",
        "data": data.digest,
        "tokens of the training rows": rows,
        **{f"train.{name}": value for name, value in settings.items()},
        **{f"train.options.{name}": value for name, value in options.items()},
    }


def architecture(model: nn.Module) -> str:
    """Return the class with a hash of all parameter names and shapes."""
    shapes = "\n".join(f"{name} {tuple(p.shape)}" for name, p in model.named_parameters())
    return f"{type(model).__name__} {hashlib.sha256(shapes.encode()).hexdigest()[:12]}"


def frozen_weights(model: nn.Module) -> str:
    """Return a hash of the ends of every frozen weight: the base that an adapter is trained on."""
    return weights_digest([p for p in model.parameters() if not p.requires_grad])


@torch.no_grad()
def weights_digest(weights: list[nn.Parameter]) -> str:
    """Return a cheap hash over the first and last values of each tensor; empty for none."""
    if not weights:
        return ""
    whole = hashlib.sha256()
    for weight in weights:
        flat = weight.detach().reshape(-1)
        ends = torch.cat([flat[:16], flat[-16:]]).float().cpu().numpy()
        whole.update(ends.tobytes())
    return whole.hexdigest()[:16]
