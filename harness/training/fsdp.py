"""Fully sharded training with torch's FSDP2: every process holds a slice of each weight."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from harness.api import StageError, UsageError

from .replicated import Replicated, load_random_state, whole_weights
from .state import random_state


class FullySharded(Replicated):
    """FSDP2. States are sharded too, and can be loaded by another number of processes."""

    name = "fsdp"
    whole = False

    def _place(self) -> nn.Module:
        if self.precision == "fp16":
            raise UsageError("strategy 'fsdp' does not train in fp16", hint="--set train.precision=bf16")
        options: dict[str, Any] = {"mesh": init_device_mesh(self.group.device.type, (self.group.world_size,))}
        if self.precision == "bf16":
            options["mp_policy"] = MixedPrecisionPolicy(
                param_dtype=torch.bfloat16, reduce_dtype=torch.float32
            )
        if self.spec.launch.offload:
            if self.group.device.type == "cpu":
                raise UsageError(
                    "strategy 'fsdp' offloads from a GPU, and this training is on the CPU",
                    hint="leave train.launch.offload out",
                )
            options["offload_policy"] = CPUOffloadPolicy()
        for block in _blocks(self.module):
            fully_shard(block, **options)
        fully_shard(self.module, **options)
        self._require_sharded()
        return self.module

    def _require_sharded(self) -> None:
        whole = [name for name, p in self.module.named_parameters() if not isinstance(p, DTensor)]
        if whole or not isinstance(self.module, FSDPModule):
            raise StageError(f"strategy 'fsdp' left {len(whole)} weights unsharded, such as {whole[:1]}")

    def forward_context(self) -> Any:
        """Nothing to do: FSDP casts the weights itself."""
        return nullcontext()

    def accumulating(self, *, last: bool) -> Any:
        """Reduce gradients after the last piece only."""
        self.module.set_requires_gradient_sync(last)  # type: ignore[operator]
        return nullcontext()

    def save(self, folder: Path) -> None:
        """Write each process's shards and random numbers."""
        weights, optimizer = get_state_dict(self.module, self.optimizer.optimizers)
        state_dict_saver.save({"model": weights, "optimizer": optimizer}, checkpoint_id=folder / "shards")
        torch.save(random_state(), folder / f"random-{self.group.rank}.pt")

    def load(self, folder: Path) -> None:
        """Take over shards, dealt anew where the number of processes has changed."""
        weights, optimizer = get_state_dict(self.module, self.optimizer.optimizers)
        state: dict[str, Any] = {"model": weights, "optimizer": optimizer}
        state_dict_loader.load(state, checkpoint_id=folder / "shards")
        set_state_dict(
            self.module,
            self.optimizer.optimizers,
            model_state_dict=state["model"],
            optim_state_dict=state["optimizer"],
        )
        load_random_state(folder, self.group)

    def load_weights(self, folder: Path) -> None:
        """Take over the weights alone."""
        state = {"model": get_model_state_dict(self.module)}
        state_dict_loader.load(state, checkpoint_id=folder / "shards")
        set_model_state_dict(self.module, state["model"])

    @contextmanager
    def whole_model(self) -> Iterator[nn.Module]:
        """Yield the model with its weights gathered on the main process."""
        weights = get_model_state_dict(
            self.module, options=StateDictOptions(full_state_dict=True, cpu_offload=True)
        )
        with whole_weights(self.module, _tied(self.module, dict(weights))) as module:
            yield module


def _tied(module: nn.Module, weights: dict[str, Any]) -> dict[str, Any]:
    """Give the names of one weight one tensor again, so that it is saved once."""
    first: dict[int, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if name in weights:
            weights[name] = weights[first.setdefault(id(parameter), name)]
    return weights


def _blocks(model: nn.Module) -> list[nn.Module]:
    """Return the repeated layers, each of which is gathered and freed on its own."""
    named = set(getattr(model, "_no_split_modules", None) or ())
    if named:
        return [module for module in model.modules() if type(module).__name__ in named]
    return [block for module in model.modules() if isinstance(module, nn.ModuleList) for block in module]
