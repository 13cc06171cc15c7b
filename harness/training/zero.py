"""ZeRO-1, 2 and 3 with DeepSpeed's engine; the processes come from torchrun or any other launcher."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness import children
from harness.api import LaunchSpec, StageError, TrainSpec, UsageError, nearest

from . import optimizers, precision
from .distributed import Group, as_number
from .replicated import Replicated, load_random_state, whole_weights
from .settings import FitOptions, asked_strategy
from .state import random_state

CONFIGS = Path(__file__).parent
TAG = "zero"


class Zero(Replicated):
    """DeepSpeed's ZeRO: sharded optimizer states (1), gradients too (2), weights too (3)."""

    def __init__(self, model: nn.Module, spec: TrainSpec, options: FitOptions, group: Group) -> None:
        deepspeed = _deepspeed(group.device)
        self.name = asked_strategy(spec.launch)
        self.whole = self.name != "zero3"
        self.group = group
        self.spec = spec
        self.precision = precision.settle(spec.precision, group.device)
        self.scaler = None
        self.module = model
        self.trainable = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = optimizers.build(model, spec, options)
        config = engine_config(spec, self.precision, group.world_size)
        self.engine, *_ = deepspeed.initialize(
            model=model, optimizer=self.optimizer.optimizers[0], config=config, dist_init_required=False
        )
        self.callee = self.engine
        if (stage := self.engine.zero_optimization_stage()) != int(self.name[-1]):
            raise StageError(f"strategy '{self.name}' was asked for, DeepSpeed runs ZeRO stage {stage}")

    def forward_context(self) -> Any:
        """Nothing to do: DeepSpeed casts the weights itself."""
        return nullcontext()

    def accumulating(self, *, last: bool) -> Any:
        """Reduce at the last piece of a step only."""
        self.engine.set_gradient_accumulation_boundary(last)
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of one piece of a step."""
        self.engine.backward(loss)

    def update(self, factor: float) -> float:
        """Clip and step inside the engine; return the norm before clipping."""
        self.optimizer.set_factor(factor)
        self.engine.step()
        norm = self.engine.get_global_grad_norm()
        return 0.0 if norm is None else as_number(norm)

    def drop_gradients(self) -> None:
        """Forget what a failed step has left."""
        self.engine.zero_grad()

    def save(self, folder: Path) -> None:
        """Write DeepSpeed's shards and each process's random numbers."""
        self.engine.save_checkpoint(str(folder), tag=TAG, save_latest=False)
        torch.save(random_state(), folder / f"random-{self.group.rank}.pt")

    def load(self, folder: Path) -> None:
        """Take over everything that `save` wrote, dealt anew where the number of processes has changed."""
        self.load_weights(folder)
        load_random_state(folder, self.group)

    def load_weights(self, folder: Path) -> None:
        """Take over the weights; DeepSpeed brings the optimizer along."""
        saved_by = len(list(folder.glob("random-*.pt")))
        if saved_by == self.group.world_size:
            self.engine.load_checkpoint(str(folder), tag=TAG)
            return
        universal = folder.with_name(f"{folder.name}.universal")
        if self.group.rank == 0:
            _convert(folder / TAG, universal / TAG)
        self.group.wait()
        groups = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.groups]
        # DeepSpeed reads this at each load; its own switch is fixed when the engine is made.
        self.engine._config.load_universal_checkpoint = True
        try:
            self.engine.load_checkpoint(str(universal), tag=TAG)
        finally:
            self.engine._config.load_universal_checkpoint = False
        # For ZeRO-3 it gives all groups the first one's settings, weight decay among them, and one `step`
        # tensor, which each of them would then count up.
        for group, settings in zip(self.optimizer.groups, groups, strict=True):
            group.update(settings)
        for state in self.optimizer.optimizers[0].state.values():
            if isinstance(state.get("step"), Tensor):
                state["step"] = state["step"].clone()
        self.group.wait()
        if self.group.rank == 0:
            shutil.rmtree(universal)

    @contextmanager
    def whole_model(self) -> Iterator[nn.Module]:
        """Yield the model with its fp32 weights gathered."""
        from deepspeed.utils import safe_get_full_fp32_param

        names = list(self.module.state_dict(keep_vars=True).items())
        whole: dict[int, Tensor] = {}
        for _, value in names:
            if isinstance(value, nn.Parameter) and value.requires_grad and id(value) not in whole:
                whole[id(value)] = safe_get_full_fp32_param(value).detach().cpu()
        weights = {name: whole.get(id(value), value.detach()) for name, value in names}
        with whole_weights(self.module, weights) as module:
            yield module


def _convert(shards: Path, universal: Path) -> None:
    """Turn the shards of one number of processes into DeepSpeed's form for any number."""
    shutil.rmtree(universal.parent, ignore_errors=True)
    command = children.python("-m", "deepspeed.checkpoint.ds_to_universal", "--inject_missing_state")
    command += ["--input_folder", str(shards), "--output_folder", str(universal)]
    command += ["--num_extract_workers", "1", "--num_merge_workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, env=children.environment())
    if done.returncode != 0:
        raise StageError(
            f"DeepSpeed could not deal {shards} anew: {done.stderr[-300:].strip()}",
            hint="continue with as many processes as before",
        )


def engine_config(spec: TrainSpec, number_format: str, world_size: int) -> dict[str, Any]:
    """Return the shipped or given DeepSpeed configuration with this training's numbers."""
    launch = spec.launch
    config = _read_config(launch)
    wanted = asked_strategy(launch)
    zero = config.get("zero_optimization", {})
    if f"zero{zero.get('stage', 0)}" != wanted:
        raise UsageError(
            f"strategy '{wanted}' was asked for, {launch.ds_config} holds ZeRO stage {zero.get('stage', 0)}"
        )
    if launch.offload and "offload_optimizer" not in zero:
        raise UsageError(
            f"train.launch.offload was asked for, {launch.ds_config or wanted} keeps everything on the GPU",
            hint="strategies zero2, zero3 and fsdp offload; a configuration of yours needs offload_optimizer",
        )
    # `fit` cuts steps into micro-batches itself and tells the engine where a step ends.
    config |= {
        "train_batch_size": world_size,
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": spec.max_grad_norm,
        "bf16": {"enabled": number_format == "bf16"},
        "fp16": {"enabled": number_format == "fp16"},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
    }
    return config


def _read_config(launch: LaunchSpec) -> dict[str, Any]:
    if launch.ds_config and Path(launch.ds_config).suffix == ".json":
        path = Path(launch.ds_config)
    else:
        offloads = launch.offload and asked_strategy(launch) != "zero1"
        name = launch.ds_config or f"ds_{asked_strategy(launch)}" + ("_offload" if offloads else "")
        path = CONFIGS / f"{name}.json"
    if not path.exists():
        shipped = [file.stem for file in CONFIGS.glob("ds_*.json")]
        raise UsageError(f"no DeepSpeed configuration '{launch.ds_config}'", hint=nearest(path.stem, shipped))
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise UsageError(f"{path} is not JSON: {fault}") from fault
    return config


def _deepspeed(device: torch.device) -> Any:
    import deepspeed  # optional

    # It calls functions of torch by names that will go: said at every step, and no user can change it.
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    os.environ.setdefault("LOCAL_RANK", "0")  # DeepSpeed insists, also on a single process without a launcher
    if device.type == "cpu":
        # Compiled at run time for a minute, to speed up what gloo does well enough.
        from deepspeed.ops import __compatible_ops__

        __compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed
