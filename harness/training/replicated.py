"""A whole model in every process, and what the strategies that shard it share with that."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.api import TrainSpec

from . import optimizers, precision
from .distributed import Group, as_number
from .settings import FitOptions
from .state import random_state, restore_random_state


class Replicated:
    """The whole model in every process; gradients are averaged where there are several."""

    name = "ddp"
    whole = True  # whether each process can ask the model by itself

    def __init__(self, model: nn.Module, spec: TrainSpec, options: FitOptions, group: Group) -> None:
        self.group = group
        self.spec = spec
        self.precision = precision.settle(spec.precision, group.device)
        self.module = model
        self.scaler = precision.scaler(self.precision, group.device)
        self.callee: nn.Module = self._place()
        self.trainable = [p for p in self.module.parameters() if p.requires_grad]
        self.optimizer = optimizers.build(self.module, spec, options)

    def _place(self) -> nn.Module:
        """Bring the model to its device and processes; return what is called to train."""
        self.module.to(self.group.device)
        if self.precision == "fp16":
            precision.keep_trainable_in_fp32(self.module)
        if self.group.world_size == 1:
            return self.module
        devices = [self.group.device] if self.group.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(self.module, device_ids=devices)

    def forward_context(self) -> Any:
        """Return the number format of the forward pass."""
        return precision.autocast(self.precision, self.group.device)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of one piece of a step."""
        if self.scaler is not None:
            loss = self.scaler.scale(loss)
        loss.backward()  # type: ignore[no-untyped-call]

    def accumulating(self, *, last: bool) -> Any:
        """Return the context of one piece; only the last one talks to the other processes."""
        if last or not isinstance(self.callee, nn.parallel.DistributedDataParallel):
            return nullcontext()
        return self.callee.no_sync()

    def update(self, factor: float) -> float:
        """Clip, step at `factor` times the learning rate, and return the norm before clipping.

        A gradient that is not finite changes nothing.
        """
        if self.scaler is not None:
            for optimizer in self.optimizer.optimizers:
                self.scaler.unscale_(optimizer)
        limit = self.spec.max_grad_norm or float("inf")
        norm = as_number(nn.utils.clip_grad_norm_(self.trainable, limit))
        if self.scaler is not None or math.isfinite(norm):
            self.optimizer.set_factor(factor)
            self.optimizer.step(self.scaler)
        self.optimizer.zero_grad()
        return norm

    def drop_gradients(self) -> None:
        """Forget what a failed step has left."""
        self.optimizer.zero_grad()

    def save(self, folder: Path) -> None:
        """Write weights, optimizer, scaler and each process's random numbers."""
        if self.group.rank == 0:
            torch.save(self._weights(), folder / "weights.pt")
            scaler = self.scaler.state_dict() if self.scaler is not None else None
            torch.save({"optimizer": self.optimizer.state_dict(), "scaler": scaler}, folder / "optimizer.pt")
        torch.save(random_state(), folder / f"random-{self.group.rank}.pt")

    def load(self, folder: Path) -> None:
        """Take over everything that `save` wrote."""
        self.load_weights(folder)
        state = torch.load(folder / "optimizer.pt", map_location="cpu", weights_only=True)
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])
        load_random_state(folder, self.group)

    def load_weights(self, folder: Path) -> None:
        """Take over the weights alone."""
        weights = torch.load(folder / "weights.pt", map_location="cpu", weights_only=True)
        self.module.load_state_dict(weights, strict=False)

    def _weights(self) -> dict[str, Tensor]:
        """Return what training changes: all weights, or beside a frozen base only the trainable ones."""
        state: dict[str, Tensor] = self.module.state_dict()
        frozen = {name for name, p in self.module.named_parameters() if not p.requires_grad}
        if not frozen:
            return state
        trainable = {name for name, p in self.module.named_parameters() if p.requires_grad}
        return {name: value for name, value in state.items() if name in trainable}

    @contextmanager
    def whole_model(self) -> Iterator[nn.Module]:
        """Yield the model with all its weights, to be saved by the main process."""
        yield self.module


def load_random_state(folder: Path, group: Group) -> None:
    """Restore this process's random numbers, where it was part of the processes that saved."""
    own = folder / f"random-{group.rank}.pt"
    if own.exists():
        restore_random_state(torch.load(own, map_location="cpu", weights_only=True))


@contextmanager
def whole_weights(module: nn.Module, weights: dict[str, Tensor]) -> Iterator[nn.Module]:
    """Let a module whose own weights are sharded be saved as if it held `weights`."""
    module.state_dict = lambda *_, **__: weights  # type: ignore[assignment, method-assign]
    try:
        yield module
    finally:
        del module.state_dict
