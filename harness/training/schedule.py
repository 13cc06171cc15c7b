"""The learning rate as a function of the step: warm-up, then constant, linear or cosine decay."""

from __future__ import annotations

import math

from harness.api import TrainSpec, UsageError


class Schedule:
    """The factor on the learning rate; `factor(0)` belongs to the first step.

    `linear` and `cosine` warm up linearly from 0 and decay towards `final_lr`, which a step after the
    last one would have, as in transformers: no step of a training has a rate of 0 but the first of a
    warm-up. `constant` only warms up; `warmup-decay` warms up with the logarithm of the step, as
    DeepSpeed's WarmupDecayLR does, and then decays linearly.
    """

    def __init__(self, spec: TrainSpec, total_steps: int) -> None:
        share = spec.warmup_steps < 1
        self.warmup = math.ceil(spec.warmup_steps * total_steps) if share else int(spec.warmup_steps)
        if self.warmup > total_steps:
            raise UsageError(
                f"train.warmup_steps is {self.warmup}, more than the {total_steps} steps of the training",
                hint="give a share such as 0.05, or train for longer",
            )
        self.total = total_steps
        self.kind = spec.schedule
        self.floor = spec.final_lr

    def factor(self, step: int) -> float:
        """Return what the learning rate is multiplied by after `step` finished steps."""
        if step < self.warmup:
            if self.kind == "warmup-decay":
                return math.log(step + 1) / math.log(self.warmup) if self.warmup > 1 else 1.0
            return step / self.warmup
        if self.kind == "constant":
            return 1.0
        left = max(0.0, (self.total - step) / max(1, self.total - self.warmup))
        shape = 0.5 * (1 - math.cos(math.pi * left)) if self.kind == "cosine" else left
        return self.floor + (1 - self.floor) * shape
