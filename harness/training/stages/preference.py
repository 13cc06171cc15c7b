"""Learning which of two answers is better: DPO and ORPO, and the rows that they share with reward models."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.api import (
    Conversation,
    DataError,
    Message,
    Preference,
    Request,
    TrainData,
    TrainPair,
    TrainRow,
    UsageError,
)
from harness.api.bounds import OneOf, Range
from harness.files.digests import folder_digest
from harness.files.json_files import read_json, write_json
from harness.training.batching import IGNORED, EncodedRows, Shape
from harness.training.identity import architecture, weights_digest
from harness.training.lines import numbers_of_lines
from harness.training.logprobs import learned_tokens, log_probabilities
from harness.training.objectives import Loss
from harness.training.replicated import Replicated
from harness.training.settings import FitOptions
from harness.training.stage import Collate, Learner, Stage
from harness.training.together import STATE

CHOSEN, REJECTED = "chosen.", "rejected."
MARGIN, REFERENCE = "margin", "reference"  # numbers a line: how much better, and what the reference says


class Preferences(Stage):
    """Rows of two lines: the prompt with the better answer, and the prompt with the worse one."""

    dropout = False  # both answers, and the model before and after, are compared under the same weights

    def shape_of(self, *, causal: bool) -> Shape:
        """Return rows of two lines that weigh 1."""
        return Shape(causal, parts=(CHOSEN, REJECTED), tokens_weigh=False, numbers=(MARGIN,))

    def encode(self, row: TrainRow) -> Mapping[str, Sequence[Any]]:
        """Return both answers, each after the prompt; the answers alone are learned."""
        assert isinstance(row, Preference)
        turns = row.messages[:-1]
        asked = Request("", row.prompt, row.inputs, messages=turns, tools=row.tools)
        causal = self.shape.causal
        lines = {
            part: answered(self.learner, asked, answer, causal=causal)
            for part, answer in ((CHOSEN, row.chosen), (REJECTED, row.rejected))
        }
        tokens = {part + key: values for part, line in lines.items() for key, values in line.items()}
        return {**tokens, MARGIN: [row.margin or 0.0] * 2}


def answered(learner: Learner, request: Request, answer: str, *, causal: bool) -> Mapping[str, Sequence[int]]:
    """Return a request with an answer as a row, of which the answer alone is learned."""
    row: TrainRow = TrainPair(request.prompt, answer, request.inputs)
    if request.messages:
        turns = (*request.messages, Message("user", request.prompt), Message("assistant", answer))
        row = Conversation(turns, request.tools)
    line = learner.encode(row)
    if not causal or learner.request is None:
        return line
    size = len(learner.request(request)["input_ids"])
    # Earlier turns of the assistant, or a prompt that is otherwise learned, are no part of the answer.
    return {**line, "labels": [IGNORED] * size + list(line["labels"][size:])}


@dataclass(frozen=True, slots=True)
class DpoOptions(FitOptions):
    """What DPO may be told.

    `beta`: how dearly the model pays for leaving the reference. `label_smoothing`: the share of
    preferences that are taken to be the wrong way round. `reference`: `adapter` switches the adapter that
    is trained off, `precomputed` asks the model once before training; `auto` is the first where it can be.
    """

    beta: Annotated[float, Range(above=0)] = 0.1
    label_smoothing: Annotated[float, Range(least=0, below=0.5)] = 0.0
    reference: Annotated[str, OneOf("auto", "adapter", "precomputed")] = "auto"


class Dpo(Preferences):
    """Direct preference optimisation: the better answer gains on the worse one more than in a reference."""

    Options = DpoOptions

    def check(self, data: TrainData) -> None:
        """Refuse what no reference could be had for."""
        super().check(data)
        if self.options.reference == "adapter" and not self._may_switch_off:
            raise UsageError(
                "the reference cannot be the adapter switched off: no adapter is begun in this training",
                hint="--set train.options.reference=precomputed",
            )
        if not self._switches_off and not isinstance(data.train, Sized):
            raise DataError(
                "a reference is computed once for all rows, and a streamed corpus has no end",
                hint="--set train.method=lora keeps the reference under the adapter",
            )

    @property
    def _may_switch_off(self) -> bool:
        """Whether what lies under the adapter is the model that training begins with."""
        fresh = self.spec.method != "full" and not self.spec.lora_continue
        return fresh and REFERENCE not in self.run.inputs

    @property
    def _switches_off(self) -> bool:
        return self._may_switch_off and self.options.reference != "precomputed"

    def begin(self, learner: Learner) -> None:
        """Take over the model, and note what weights it begins with, by which answers of it are known."""
        super().begin(learner)
        self._began = f"{architecture(self.model)} {weights_digest(list(self.model.parameters()))}"

    def settle(self, strategy: Replicated, rows: Sequence[EncodedRows], collate: Collate) -> None:
        """Ask the reference once, where it will not be at hand; what it said is kept beside the states."""
        if self._switches_off:
            return
        files = [self._kept(some) for some in rows]
        absent = strategy.group.agree([not file.exists() for file in files])
        if any(absent):
            model = self.other(REFERENCE, strategy.group.device) or strategy.module
            for some, file in zip(rows, files, strict=True):
                said = numbers_of_lines(_answers, model, some, collate(some), strategy, self.spec.batch_size)
                if self.run.is_main:
                    write_json(file, [list(line) for line in said])
            strategy.group.wait()
        for some, file in zip(rows, files, strict=True):
            some.numbers[REFERENCE] = read_json(file)

    def _kept(self, rows: EncodedRows) -> Path:
        """Name the file of what a reference says of some rows, after all that it depends on."""
        named = self.run.inputs.get(REFERENCE)
        said_by = self._began if named is None else folder_digest(named.path)
        known = hashlib.sha256(f"{said_by} {rows.digest} {self.spec.precision}".encode()).hexdigest()[:16]
        return self.run.directory / STATE / f"reference-{known}.json"

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        """Return -log sigmoid(beta x how much more the better answer has gained than the worse one)."""
        said = _answers(model, batch)
        gained = self.options.beta * (said - self._reference(model, batch))
        chosen, rejected = gained.chunk(2)
        margin = chosen - rejected
        smooth = self.options.label_smoothing
        loss = -(1 - smooth) * functional.logsigmoid(margin) - smooth * functional.logsigmoid(-margin)
        return Loss(loss.sum(), len(margin), facts_of(chosen, rejected))

    def _reference(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        if not self._switches_off:
            return batch[REFERENCE]
        bare: Any = getattr(model, "module", model)
        with torch.no_grad(), bare.disable_adapter():
            return _answers(bare, batch)


@dataclass(frozen=True, slots=True)
class OrpoOptions(FitOptions):
    """What ORPO may be told: `beta` weighs the odds against the better answer's own likelihood."""

    beta: Annotated[float, Range(least=0)] = 0.1


class Orpo(Preferences):
    """Odds-ratio preference optimisation: the better answer is learned, and the odds of it, in one."""

    Options = OrpoOptions

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        """Return the better answer's loss a token, and -beta x log sigmoid(log odds ratio)."""
        mean = _answers(model, batch) / learned_tokens(batch["labels"], causal=self.shape.causal)
        chosen, rejected = mean.chunk(2)
        odds = (chosen - rejected) - (_log_of_rest(chosen) - _log_of_rest(rejected))
        loss = -chosen - self.options.beta * functional.logsigmoid(odds)
        return Loss(loss.sum(), len(chosen), facts_of(chosen, rejected) | {"log_odds": odds.sum()})


def facts_of(chosen: Tensor, rejected: Tensor) -> dict[str, Tensor]:
    """Return how often the better answer is held to be better, by how much, and what both are worth."""
    return {
        "accuracy": (chosen > rejected).float().sum() + (chosen == rejected).float().sum() / 2,
        "margin": (chosen - rejected).sum(),
        "chosen": chosen.sum(),
        "rejected": rejected.sum(),
    }


def _answers(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the log-likelihood of each answer."""
    return log_probabilities(model, batch, without=(MARGIN, REFERENCE)).sum(-1)


def _log_of_rest(logs: Tensor) -> Tensor:
    """Return log(1 - p) of log p; a certain answer is taken to be nearly so."""
    return torch.log(-torch.expm1(logs.clamp(max=-1e-6)))
