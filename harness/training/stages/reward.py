"""Reward models: a language model with a number for an answer, learned from preferences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.api.bounds import Range
from harness.training.batching import IGNORED
from harness.training.heads import WithHead
from harness.training.logprobs import model_inputs
from harness.training.objectives import Loss
from harness.training.settings import FitOptions

from .preference import MARGIN, Preferences, facts_of


@dataclass(frozen=True, slots=True)
class RewardOptions(FitOptions):
    """What a reward model may be told: `center` keeps the rewards of both answers near 0 together."""

    center: Annotated[float, Range(least=0)] = 0.0


class Reward(Preferences):
    """Learns that the better answer is worth more, by its margin where there is one."""

    Options = RewardOptions

    def prepare(self, model: nn.Module) -> nn.Module:
        """Return the model with a head; what turns its states into words is not learned."""
        return WithHead(model, words=False)

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        """Return -log sigmoid(what the better answer is worth more - the margin)."""
        rewards = reward_of(model, batch)
        chosen, rejected = rewards.chunk(2)
        margin = batch[MARGIN].chunk(2)[0]
        loss = -functional.logsigmoid(chosen - rejected - margin)
        loss = loss + self.options.center * (chosen + rejected) ** 2
        return Loss(loss.sum(), len(margin), facts_of(chosen, rejected))

    def save(self, model: nn.Module, folder: Path) -> None:
        """Write the language model with its head beside it."""
        assert isinstance(model, WithHead)
        model.save(self.learner.save, folder)


def reward_of(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Return what a reward model says at the last token of each answer."""
    inputs = {key: value for key, value in batch.items() if key != MARGIN}
    values: Tensor = model(**model_inputs(model, inputs), worth=True).values
    places = torch.arange(batch["labels"].shape[1], device=values.device)
    last = torch.where(batch["labels"] != IGNORED, places, 0).argmax(-1)
    return values.gather(1, last[:, None])[:, 0]
