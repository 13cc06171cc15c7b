"""What `fit` accepts: the numbers of a `TrainSpec` checked, and the finer options typed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from harness.api import TrainSpec, UsageError, nearest

CHOICES: dict[str, tuple[str, ...]] = {
    "method": ("full", "lora", "qlora"),
    "schedule": ("linear", "cosine", "constant", "warmup-decay"),
    "optimizer": ("adamw", "adam", "muon", "adamw8bit"),
    "packing": ("none", "buckets", "packed"),
    "precision": ("auto", "fp32", "bf16", "fp16"),
}
STRATEGIES = ("auto", "ddp", "fsdp", "zero1", "zero2", "zero3")


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What `TrainSpec.options` may hold.

    `adam_epsilon`: Adam's epsilon. `momentum`: Muon's. `rest_learning_rate`: the AdamW rate for what
    Muon leaves (embeddings, head, vectors); None: the same rate. `no_decay`: weight decay skips
    parameters with one of these in their name; None: it skips everything that is not a matrix.
    `window`: rows of a streamed corpus that are held and shuffled together. `log_every`: steps
    between two `train_step` events; 0: about two hundred events a training. `tensorboard`: also
    write TensorBoard event files.
    """

    adam_epsilon: float = 1e-8
    momentum: float = 0.95
    rest_learning_rate: float | None = None
    no_decay: Sequence[str] | None = None
    window: int = 8192
    log_every: int = 0
    tensorboard: bool = False


def check(spec: TrainSpec) -> FitOptions:
    """Refuse impossible numbers, each with one sentence, and return the typed options."""
    _choices(spec)
    _numbers(spec)
    known = [field.name for field in fields(FitOptions)]
    for name in spec.options:
        if name not in known:
            raise UsageError(f"training has no option '{name}'", hint=nearest(name, known))
    return FitOptions(**dict(spec.options))


def _choices(spec: TrainSpec) -> None:
    for name, known in CHOICES.items():
        if (value := getattr(spec, name)) not in known:
            raise UsageError(f"train.{name} cannot be '{value}'", hint=nearest(str(value), known))
    if spec.launch.strategy not in STRATEGIES:
        raise UsageError(
            f"train.launch.strategy cannot be '{spec.launch.strategy}'",
            hint=nearest(spec.launch.strategy, STRATEGIES),
        )


def _numbers(spec: TrainSpec) -> None:
    positive = ("learning_rate", "batch_size", "grad_accumulation", "max_length", "save_every", "keep")
    optional = ("max_steps", "epochs", "batch_tokens", "eval_every", "eval_limit", "patience")
    for name in (*positive, *optional):
        value = getattr(spec, name)
        if value is None and name in optional:
            continue
        if not (value > 0 and math.isfinite(value)):
            raise UsageError(f"train.{name} is {value}; it must be above 0")
    for name in ("warmup_steps", "weight_decay", "neftune_alpha", "final_lr", "max_grad_norm"):
        if not getattr(spec, name) >= 0:
            raise UsageError(f"train.{name} is {getattr(spec, name)}; it cannot be below 0")
    if not 0 <= spec.ema_decay < 1:
        raise UsageError(f"train.ema_decay is {spec.ema_decay}; it must be from 0 to below 1")
