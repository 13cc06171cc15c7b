"""Looking at the model while it learns: loss on validation rows, and the task's own metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from harness.api import DataError, TrainData, UsageError, nearest

from .batching import Collator, EncodedRows, Unit, share, units_of
from .distributed import Group
from .modes import caching
from .objectives import Objective
from .replicated import Replicated
from .stage import Stage
from .state import random_state, restore_random_state
from .step import Sums
from .stream import encoded_together
from .together import answering

LOSS = "loss"
PERPLEXITY = "perplexity"  # a learned token


class Validation:
    """Evaluates a model and says which value decides what is best.

    The task's metric decides where the learner generates and an evaluator is there, otherwise the loss on
    the validation rows.
    """

    def __init__(self, stage: Stage, data: TrainData, group: Group) -> None:
        self.stage = stage
        self.spec = stage.spec
        self.generate = stage.learner.generate
        self.evaluator = data.evaluator if self.generate is not None else None
        self.rows, _ = encoded_together(data.validation if stage.validates else (), stage, group)
        self.look = stage.looks(data, group) if self._by_stage else None
        if self.evaluator is None and not len(self.rows) and self.look is None:
            raise DataError(
                "there is nothing to evaluate on: no validation row is left",
                hint="raise train.max_length, or --set train.eval_every=none",
            )
        if self.spec.select_metric and self.evaluator is None and not self._by_stage:
            raise UsageError(
                f"'{self.spec.select_metric}' cannot select the best step: nothing is generated in this "
                "training",
                hint="this model trains without generation; leave train.select_metric out to select by loss",
            )

    @property
    def _by_stage(self) -> bool:
        """Whether the stage's own measures decide, and no metric of the task."""
        return self.selects_metric in ("", LOSS, *self.stage.entry.facts)

    @property
    def selects_metric(self) -> str:
        """The metric that decides, where one was named."""
        return self.spec.select_metric or (self.evaluator.select if self.evaluator is not None else "")

    @property
    def selects(self) -> str:
        """The name of the value that decides."""
        own = LOSS if self.look is None else self.stage.entry.facts[0]
        return self.selects_metric or own

    def better(self, value: float, best: float | None) -> bool:
        """Whether a value beats the best so far."""
        if best is None:
            return True
        of_task = self.evaluator is not None and self.evaluator.higher_is_better
        higher = self.selects in self.stage.entry.facts or (self.selects != LOSS and of_task)
        return value > best if higher else value < best

    def __call__(
        self, strategy: Replicated, objective: Objective, collate: Callable[[EncodedRows], Collator]
    ) -> dict[str, float]:
        """Return all values; training's random numbers are left as they were."""
        values = self._values(strategy, objective, collate, asked=True)
        if self.selects not in values:
            raise UsageError(
                f"no metric '{self.selects}' to select the best step by", hint=nearest(self.selects, values)
            )
        return values

    def before(
        self, strategy: Replicated, objective: Objective, collate: Callable[[EncodedRows], Collator]
    ) -> dict[str, float]:
        """Return what rows say where the stage begins: their loss alone, which is cheap, if they have one."""
        return self._values(strategy, objective, collate, asked=not self.stage.validates)

    def _values(
        self,
        strategy: Replicated,
        objective: Objective,
        collate: Callable[[EncodedRows], Collator],
        *,
        asked: bool,
    ) -> dict[str, float]:
        module = strategy.module
        before = random_state()
        module.eval()
        try:
            values = self._loss(strategy, objective, collate(self.rows)) if len(self.rows) else {}
            values |= self.look() if self.look is not None else {}
            with caching(module, True):
                values |= self._metrics(strategy) if asked else {}
        finally:
            module.train()
            restore_random_state(before)
        return dict(strategy.group.agree(values))

    @torch.no_grad()
    def _loss(self, strategy: Replicated, objective: Objective, collate: Collator) -> dict[str, float]:
        group = strategy.group
        sums = Sums()
        units = self._units()
        size = max(self.spec.batch_size, group.world_size)
        for start in range(0, len(units), size):
            mine, weightless = share(units[start : start + size], group.rank, group.world_size)
            batch = collate(mine, weightless=weightless)
            inputs = {key: value.to(group.device) for key, value in batch.inputs.items()}
            with strategy.forward_context():
                sums.add(objective(strategy.callee, inputs), counts=not weightless)
        total, weight, *facts = group.total([sum(column) for column in zip(*sums.of_batches(), strict=True)])
        found = {LOSS: total / weight, **{n: f / weight for n, f in zip(sums.names, facts, strict=True)}}
        if self.stage.shape.tokens_weigh:  # of pairs and the like, exp(loss) is nothing
            found[PERPLEXITY] = float(np.exp(found[LOSS]))
        return found

    def _units(self) -> list[Unit]:
        """Return the rows, or the pieces of those that are longer than a line, shortest first."""
        units, lengths = units_of(self.rows, np.arange(len(self.rows)), self.spec.max_length)
        return [units[i] for i in np.argsort(lengths, kind="stable") if self.rows.weight(units[i])]

    @torch.no_grad()
    def _metrics(self, strategy: Replicated) -> dict[str, float]:
        """Answer the validation requests, each process its share where it has the whole model, and score."""
        if self.evaluator is None or self.generate is None:
            return {}
        group, requests = strategy.group, self.evaluator.requests[: self.spec.eval_limit]
        mine = requests[group.rank :: group.world_size] if strategy.whole else requests
        with answering(strategy, self.stage.run):
            answers = list(self.generate(strategy.module, mine))
        found = group.gather(answers) if strategy.whole else [answers]
        if group.rank:
            return {}
        scores: Mapping[str, Any] = self.evaluator(answer for share in found for answer in share)
        return {name: float(value) for name, value in scores.items() if value is not None}
