"""Room: checking that a disk can hold the states."""

from __future__ import annotations

import shutil
from pathlib import Path

from torch import nn

from harness.api import StageError


def require_disk(directory: Path, model: nn.Module, states: int, *, averaged: bool) -> None:
    """Refuse to start where the states and the final checkpoint will not fit."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    learned = sum(p.numel() * p.element_size() for p in trainable)
    whole = len(trainable) == sum(1 for _ in model.parameters())
    state = learned + 8 * sum(p.numel() for p in trainable) * (1.5 if averaged else 1)
    needed = states * state + (weights if whole else learned)
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise StageError(
            f"no room for checkpoints: about {_amount(needed)} are needed in {directory}, "
            f"{_amount(free)} are free",
            hint="free space, choose another output folder, or lower train.keep",
        )


def _amount(size: float) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
