"""The processes of a stage: which device each has, how they meet, and how they part."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed.rendezvous import rendezvous

from harness.api import RunContext, StageError, UsageError

_SESSIONS = count()  # of this process; all processes of a launch go through the same ones


@dataclass(frozen=True, slots=True)
class Group:
    """This process among the processes of the stage."""

    rank: int
    world_size: int
    device: torch.device

    def total(self, values: list[float]) -> list[float]:
        """Add numbers up over all processes."""
        if self.world_size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in their order, on every process."""
        if self.world_size == 1:
            return [value]
        found: list[Any] = [None] * self.world_size
        dist.all_gather_object(found, value)
        return found

    def agree(self, value: Any) -> Any:
        """Return the main process's value on every process."""
        if self.world_size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world_size > 1:
            dist.barrier()


def device_of(run: RunContext) -> torch.device:
    """Return the device of this process: what the run asks for, else the local GPU, else the CPU."""
    asked = run.spec.device
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    if asked.startswith("cuda"):
        if not torch.cuda.is_available():
            raise UsageError(f"device '{asked}' was asked for, but torch sees no GPU", hint="--device cpu")
        device = torch.device(asked if ":" in asked else f"cuda:{run.local_rank}")
        torch.cuda.set_device(device)
        return device
    return torch.device(asked)


@contextmanager
def session(run: RunContext, *, group_of_one: bool = False) -> Iterator[Group]:
    """Let the processes of a run meet, and part in order at the end.

    Nested sessions share the outer one. Without the barrier and `destroy_process_group` at the end,
    gloo and DeepSpeed processes sometimes abort while Python exits. `group_of_one` makes a process
    group even for a single process, which FSDP and DeepSpeed need.
    """
    group = Group(run.rank, run.world_size, device_of(run))
    alone = run.world_size == 1 and not group_of_one
    if alone or dist.is_initialized():
        yield group
        return
    _initialise(run, group.device)
    try:
        yield group
        dist.barrier()
    finally:
        # After an error the other processes may be waiting elsewhere: no barrier then.
        _part()


def _part() -> None:
    """Take the group apart, also for DeepSpeed, which would use it in the next training of this process."""
    deepspeed = sys.modules.get("deepspeed.comm")
    if deepspeed is not None and deepspeed.is_initialized():
        deepspeed.destroy_process_group()
    else:
        dist.destroy_process_group()


def _initialise(run: RunContext, device: torch.device) -> None:
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    if run.world_size == 1:
        dist.init_process_group(
            backend,
            store=dist.HashStore(),  # type: ignore[attr-defined]
            rank=0,
            world_size=1,
        )
        return
    if missing := [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise StageError(
            f"{run.world_size} processes were started without {' and '.join(missing)}",
            hint="start them with torchrun, or set the address of the first process",
        )
    store, _, _ = next(rendezvous("env://", run.rank, run.world_size))
    # In a place of its own: a second training of these processes would read where the first one's have been.
    place = dist.PrefixStore(f"training-{next(_SESSIONS)}", store)  # type: ignore[attr-defined]
    dist.init_process_group(backend, store=place, rank=run.rank, world_size=run.world_size)
    if dist.get_world_size() != run.world_size:
        raise StageError(f"{run.world_size} processes were asked for, {dist.get_world_size()} met")


def lost_others(failure: BaseException) -> bool:
    """Whether an exception means that another process of the group is gone."""
    return isinstance(failure, dist.DistError) or "Connection closed by peer" in str(failure)


def as_number(value: Tensor | float) -> float:
    """Return a plain number from a tensor, sharded or not."""
    if isinstance(value, Tensor):
        full = getattr(value, "full_tensor", None)
        value = full() if full is not None else value
        return float(value.item())
    return value
