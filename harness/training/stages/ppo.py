"""PPO: each token is as good as it leads to more than a value head expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.api.bounds import Range
from harness.training import advantages
from harness.training.batching import EncodedRows, Shape
from harness.training.heads import EXPECTS, WithHead
from harness.training.logprobs import model_inputs, predicted, predicting
from harness.training.objectives import Loss
from harness.training.rollouts import Lesson

from .policy import (
    ADVANTAGE,
    COUNT,
    KNOWN,
    OLD,
    REFERENCE,
    WEIGHT,
    Policy,
    PolicyOptions,
    Rollout,
    SaidAgain,
    aligned,
)

VALUE, GAINED, RETURN = "value", "gained", "return"  # of each token: expected, better than that, in the end


@dataclass(frozen=True, slots=True)
class PpoOptions(PolicyOptions):
    """What PPO may be told beside what all policy stages may.

    `kl` is what each token costs that the model holds likelier than the reference; with `kl_target`, the
    price rises and falls within `kl_horizon` answers until an answer costs about that. `discount`,
    `trace`: those of generalised advantages. `value_weight`: of the value head's loss, and `value_clip`
    how far its numbers may move in one rollout. `whiten`: bring advantages to mean 0 and deviation 1,
    `whiten_rewards`: rewards to deviation 1. `unfinished_earns`: what an answer that did not end earns in
    place of its reward.
    """

    samples: Annotated[int, Range(least=1)] = 1
    prompts: Annotated[int, Range(least=1)] = 64
    passes: Annotated[int, Range(least=1)] = 4
    kl: Annotated[float, Range(least=0)] = 0.05
    kl_target: Annotated[float | None, Range(above=0)] = None
    kl_horizon: Annotated[int, Range(least=1)] = 10_000
    discount: Annotated[float, Range(least=0, most=1)] = 1.0
    trace: Annotated[float, Range(least=0, most=1)] = 0.95
    value_weight: Annotated[float, Range(least=0)] = 0.1
    value_clip: Annotated[float, Range(above=0)] = 0.2
    whiten: bool = True
    whiten_rewards: bool = False
    unfinished_earns: float | None = None


class Ppo(Policy):
    """Proximal policy optimisation, with a value head on the model that learns."""

    Options = PpoOptions
    grouped = False

    def prepare(self, model: nn.Module) -> nn.Module:
        """Return the model with a value head, that of an earlier PPO where it goes on from one."""
        headed = WithHead(model)
        if self.spec.base and (Path(self.spec.base) / EXPECTS).exists():
            headed.load(Path(self.spec.base), EXPECTS)
        return headed

    def shape_of(self, *, causal: bool) -> Shape:
        """Return rows of one answer, with what is known of its tokens and what it weighs."""
        shape = super().shape_of(causal=causal)
        return replace(shape, numbers=tuple(name for name in shape.numbers if name != ADVANTAGE))

    @property
    def floats(self) -> tuple[str, ...]:
        """What has to be known of each token of an answer."""
        return (OLD, VALUE, GAINED, RETURN)

    def settle(self, *arguments: Any) -> None:
        """Begin with the price of leaving the reference as it was asked for."""
        super().settle(*arguments)
        self.price = self.options.kl

    def state(self) -> dict[str, Any]:
        """Return what is kept from one rollout to the next."""
        return {**super().state(), "price": self.price}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what was kept."""
        super().restore(state)
        self.price = state["price"]

    def told(self, rows: EncodedRows) -> dict[str, list[np.ndarray]]:
        """Return what the model says and expects of each token, and what its reference says."""
        both = self.asked(rows, self.strategy.module, self._said_and_expected)
        found = {OLD: [line[:, 0] for line in both], VALUE: [line[:, 1] for line in both]}
        return found | ({REFERENCE: self.likely(rows, REFERENCE)} if self.leashed else {})

    def _said_and_expected(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        said = self.said_again(model, batch)
        assert said.values is not None
        return torch.stack([aligned(x, causal=self.shape.causal) for x in (said.logs, said.values)], dim=-1)

    def learnt(self, rollout: Rollout) -> Lesson:
        """Work out how much better than expected each token was; what ends an answer earns its reward."""
        scores = self._scores(rollout)
        away = rollout.away() if self.leashed else np.zeros(len(scores))
        both = zip(rollout.told[OLD], rollout.said, strict=True)
        learned = [slice(len(line) - len(one.tokens), None) for line, one in both]
        earned = []
        for place, tokens in enumerate(learned):
            old = rollout.told[OLD][place][tokens].astype(float)
            cost = old - rollout.told[REFERENCE][place][tokens] if self.leashed else np.zeros(len(old))
            of_tokens = -self.price * cost
            of_tokens[-1] += scores[place]
            earned.append(of_tokens)
        if self.options.whiten_rewards:
            earned = advantages.whitened(earned, centred=False)
        known = [rollout.told[VALUE][place][tokens].astype(float) for place, tokens in enumerate(learned)]
        options = self.options
        found = [
            advantages.generalised(one, expected, discount=options.discount, trace=options.trace)
            for one, expected in zip(earned, known, strict=True)
        ]
        gained = [one for one, _ in found]
        if self.options.whiten:
            gained = advantages.whitened(gained)
        weights = rollout.counts * np.array([len(one.tokens) for one in rollout.said], dtype=float)
        rows = self.rows_to_learn(
            rollout,
            np.arange(len(scores)),
            {WEIGHT: weights},
            **{
                GAINED: _behind_prompts(gained, rollout.told[OLD]),
                RETURN: _behind_prompts([end for _, end in found], rollout.told[OLD]),
            },
        )
        facts = {"price": self.price, "score": float(np.average(scores, weights=rollout.counts))}
        facts["expected"] = float(np.mean(np.concatenate(known)))
        if self.leashed:
            facts["kl"] = float(np.average(away, weights=rollout.counts))
            self._adjust(facts["kl"], int(rollout.counts.sum()))
        return Lesson(rows, float(weights.sum()), facts)

    def _scores(self, rollout: Rollout) -> np.ndarray:
        """Return what answers earn; one that did not end earns what is fixed for it."""
        fixed = self.options.unfinished_earns
        if fixed is None:
            return rollout.earned
        ended = np.array([answer.ended for answer in rollout.said])
        return np.where(ended, rollout.earned, fixed)

    def _adjust(self, away: float, answers: int) -> None:
        """Raise or lower the price of leaving the reference, by a fifth at most of the horizon's share."""
        if self.options.kl_target is not None:
            error = min(max(away / self.options.kl_target - 1, -0.2), 0.2)
            self.price *= 1 + error * answers / self.options.kl_horizon

    def said_again(self, model: nn.Module, batch: Mapping[str, Tensor]) -> SaidAgain:
        """Return how likely the model now holds the answers of a batch, and what it expects of them."""
        causal = self.shape.causal
        inputs = {key: value for key, value in batch.items() if key not in (*KNOWN, VALUE, GAINED, RETURN)}
        told = model(**model_inputs(model, inputs), worth=True)
        said = self.read_logits(told.logits, predicted(batch["labels"], causal=causal))
        return said._replace(values=predicting(told.values, causal=causal))

    def loss_of(self, said: SaidAgain, batch: Mapping[str, Tensor]) -> Loss:
        """Return the clipped loss of each token and value_weight x that of what was expected of it."""
        now = said.values
        assert now is not None
        before, gained = (self.kept(batch, name, said.logs) for name in (OLD, GAINED))
        loss, clipped = self.clipped(said.logs, before, gained)
        expected, end = (self.kept(batch, name, now) for name in (VALUE, RETURN))
        near = expected + (now - expected).clamp(-self.options.value_clip, self.options.value_clip)
        missed = 0.5 * ((now - end) ** 2).maximum((near - end) ** 2)
        loss = loss + self.options.value_weight * missed
        total = ((loss * said.mask).sum(-1) * batch[COUNT]).sum()
        facts = {"entropy": said.entropy, "clipped": clipped, "value_loss": missed}
        return Loss(total, batch[WEIGHT].sum(), said.means(facts, batch[WEIGHT]))

    def save(self, model: nn.Module, folder: Path) -> None:
        """Write the language model, and the value head for a PPO that goes on from it."""
        assert isinstance(model, WithHead)
        model.save(self.learner.save, folder, EXPECTS)


def _behind_prompts(values: Sequence[np.ndarray], lines: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return numbers of tokens as long as their lines, with nothing for what was only read."""
    return [np.pad(one, (len(line) - len(one), 0)) for one, line in zip(values, lines, strict=True)]
