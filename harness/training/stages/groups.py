"""GRPO and RLOO: an answer is as good as it is better than the others to the same prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from torch import Tensor

from harness.api.bounds import OneOf
from harness.training import advantages
from harness.training.objectives import Loss
from harness.training.rollouts import Lesson

from .policy import ADVANTAGE, COUNT, OLD, REFERENCE, WEIGHT, Policy, PolicyOptions, Rollout, SaidAgain


@dataclass(frozen=True, slots=True)
class GrpoOptions(PolicyOptions):
    """What GRPO may be told beside what all policy stages may.

    `scaled`: divide by the deviation of the group, as the first paper does. `weigh`: `tokens`, so that
    each token of a step counts the same (DAPO); `answers`, so that each answer does and a long one is
    learned less (the first paper); `constant`: as tokens, over answers of the greatest length (Dr. GRPO).
    """

    scaled: bool = False
    weigh: Annotated[str, OneOf("tokens", "answers", "constant")] = "tokens"


class Grpo(Policy):
    """Group-relative policy optimisation."""

    Options = GrpoOptions

    def learnt(self, rollout: Rollout) -> Lesson:
        """Compare answers with the mean of their group; those that say nothing are not gone through again."""
        counts, gained = rollout.counts, np.zeros(len(rollout.said))
        for group in rollout.groups():
            gained[group] = advantages.of_group(
                rollout.earned[group], counts[group], scaled=self.options.scaled
            )
        weights = counts * self._lengths(rollout)
        kept = np.arange(len(gained)) if self.leashed else np.flatnonzero(gained)
        rows = self.rows_to_learn(rollout, kept, {ADVANTAGE: gained, WEIGHT: weights})
        return Lesson(rows, float(weights.sum()), {})

    def _lengths(self, rollout: Rollout) -> np.ndarray:
        """Return what one giving of an answer weighs."""
        if self.options.weigh == "answers":
            return np.ones(len(rollout.said))
        if self.options.weigh == "constant":
            return np.full(len(rollout.said), float(self.asking.max_new_tokens))
        return np.array([len(answer.tokens) for answer in rollout.said], dtype=float)

    def loss_of(self, said: SaidAgain, batch: Mapping[str, Tensor]) -> Loss:
        """Return -min(ratio x advantage, clipped ratio x advantage) + kl x divergence, over tokens."""
        gained = batch[ADVANTAGE][:, None]
        loss, clipped = self.clipped(said.logs, self.kept(batch, OLD, said.logs), gained)
        facts = {"entropy": said.entropy, "clipped": clipped}
        if self.leashed:
            away = self.kept(batch, REFERENCE, said.logs) - said.logs
            facts["kl"] = away.exp() - away - 1
            loss = loss + self.options.kl * facts["kl"]
        lengths = said.mask.sum(-1)
        times = batch[COUNT] / (lengths if self.options.weigh == "answers" else 1.0)
        total = ((loss * said.mask).sum(-1) * times).sum()
        return Loss(total, batch[WEIGHT].sum(), said.means(facts, batch[WEIGHT]))


class Rloo(Policy):
    """REINFORCE with the mean of the others as the baseline (leave one out); an answer is one action."""

    def learnt(self, rollout: Rollout) -> Lesson:
        """Compare what answers earn, less what leaving the reference costs, with what the others earned."""
        counts, gained = rollout.counts, np.zeros(len(rollout.said))
        away = rollout.away() if self.leashed else np.zeros(len(counts))
        earned = rollout.earned - self.options.kl * away
        for group in rollout.groups():
            gained[group] = advantages.leave_one_out(earned[group], counts[group])
        rows = self.rows_to_learn(rollout, np.flatnonzero(gained), {ADVANTAGE: gained, WEIGHT: counts})
        facts = {"kl": float(np.average(away, weights=counts))} if self.leashed else {}
        return Lesson(rows, float(counts.sum()), facts)

    @property
    def again(self) -> bool:
        """Whether it has to be known how likely an answer was: also to know how far the reference is."""
        return super().again or self.leashed

    def loss_of(self, said: SaidAgain, batch: Mapping[str, Tensor]) -> Loss:
        """Return -min(ratio x advantage, clipped ratio x advantage), over answers."""
        answer = (said.logs * said.mask).sum(-1)
        before = (self.kept(batch, OLD, said.logs) * said.mask).sum(-1)
        loss, clipped = self.clipped(answer, before, batch[ADVANTAGE])
        facts = said.means({"entropy": said.entropy}, batch[WEIGHT])
        facts["clipped"] = (clipped * batch[WEIGHT]).sum()
        return Loss((loss * batch[COUNT]).sum(), batch[WEIGHT].sum(), facts)
