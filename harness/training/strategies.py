"""How weights live on the processes, by name: whole in each, or sharded."""

from __future__ import annotations

from torch import nn

from harness.api import StageError, TrainSpec

from .distributed import Group
from .replicated import Replicated
from .settings import FitOptions, asked_strategy


def choose(model: nn.Module, spec: TrainSpec, options: FitOptions, group: Group) -> Replicated:
    """Return the strategy that was asked for, never another one."""
    launch = spec.launch
    asked = launch.processes * launch.nodes
    if (launch.kind != "inline" or asked > 1) and group.world_size != asked:
        raise StageError(
            f"{asked} processes were asked for, {group.world_size} are running",
            hint="the launcher must start as many processes as train.launch says",
        )
    name = asked_strategy(launch)
    if name == "ddp":
        return Replicated(model, spec, options, group)
    if name == "fsdp":
        from .fsdp import FullySharded  # torch's sharding, loaded only where it is used

        return FullySharded(model, spec, options, group)
    from .zero import Zero  # imports deepspeed, which is optional

    return Zero(model, spec, options, group)
