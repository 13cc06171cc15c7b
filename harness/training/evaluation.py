"""Looking at the model while it learns: loss on validation rows, and the task's own metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from harness.api import Completion, DataError, Request, RunContext, TrainData, TrainSpec, UsageError, nearest

from .batching import Collator, Encode, EncodedRows, Segment, Unit, encode_rows, share
from .modes import caching
from .objectives import Objective
from .replicated import Replicated
from .state import random_state, restore_random_state

Generate = Callable[[nn.Module, Sequence[Request]], Iterable[Completion]]
LOSS = "loss"


class Validation:
    """Evaluates a model and says which value decides what is best.

    The task's metric decides where `generate` and an evaluator are there, otherwise the loss on the
    validation rows.
    """

    def __init__(
        self,
        data: TrainData,
        encode: Encode,
        spec: TrainSpec,
        run: RunContext,
        generate: Generate | None,
        *,
        causal: bool,
    ) -> None:
        self.evaluator = data.evaluator if generate is not None else None
        self.generate = generate
        self.spec = spec
        self.run = run
        self.rows = self._rows(data, encode, causal=causal)
        if self.evaluator is None and not len(self.rows):
            raise DataError(
                "there is nothing to evaluate on: no validation row is left",
                hint="raise train.max_length, or --set train.eval_every=none",
            )
        if spec.select_metric and self.evaluator is None and spec.select_metric != LOSS:
            raise UsageError(
                f"'{spec.select_metric}' cannot select the best step: nothing is generated in this training",
                hint="this model trains without generation; leave train.select_metric out to select by loss",
            )

    def _rows(self, data: TrainData, encode: Encode, *, causal: bool) -> EncodedRows:
        rows, _ = encode_rows(data.validation, encode, self.spec, causal=causal)
        return rows

    @property
    def selects(self) -> str:
        """The name of the value that decides."""
        asked = self.spec.select_metric or (self.evaluator.select if self.evaluator is not None else "")
        return asked or LOSS

    def better(self, value: float, best: float | None) -> bool:
        """Whether a value beats the best so far."""
        if best is None:
            return True
        higher = self.selects != LOSS and self.evaluator is not None and self.evaluator.higher_is_better
        return value > best if higher else value < best

    def __call__(
        self, strategy: Replicated, objective: Objective, collate: Callable[[EncodedRows], Collator]
    ) -> dict[str, float]:
        """Return all values; training's random numbers are left as they were."""
        module = strategy.module
        before = random_state()
        module.eval()
        try:
            values = self._loss(strategy, objective, collate(self.rows)) if len(self.rows) else {}
            with caching(module, True):
                values |= self._metrics(module)
        finally:
            module.train()
            restore_random_state(before)
        values = dict(strategy.group.agree(values))
        if self.selects not in values:
            raise UsageError(
                f"no metric '{self.selects}' to select the best step by", hint=nearest(self.selects, values)
            )
        return values

    @torch.no_grad()
    def _loss(self, strategy: Replicated, objective: Objective, collate: Collator) -> dict[str, float]:
        group = strategy.group
        total = learned = 0.0
        units: list[Unit] = [(Segment(row, 0, None),) for row in range(len(self.rows))]
        units.sort(key=lambda unit: int(self.rows.lengths[unit[0].row]))
        size = max(self.spec.batch_size, group.world_size)
        for start in range(0, len(units), size):
            mine, weightless = share(units[start : start + size], group.rank, group.world_size)
            batch = collate(mine, weightless=weightless)
            inputs = {key: value.to(group.device) for key, value in batch.inputs.items()}
            with strategy.forward_context():
                total += float(objective(strategy.callee, inputs)) * batch.targets
            learned += batch.targets
        total, learned = group.total([total, learned])
        return {LOSS: total / learned}

    @torch.no_grad()
    def _metrics(self, module: nn.Module) -> dict[str, float]:
        if self.evaluator is None or self.generate is None:
            return {}
        requests = self.evaluator.requests[: self.spec.eval_limit]
        scores: Mapping[str, Any] = self.evaluator(self.generate(module, requests))
        return {name: float(value) for name, value in scores.items() if value is not None}
