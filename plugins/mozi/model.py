"""The model plugin: weights in, rows read with their evidence, trained and asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness import (
    Completion,
    Document,
    GenerateSpec,
    Passage,
    Request,
    RunContext,
    TrainData,
    TrainPair,
    TrainSpec,
)
from harness.language_models import LanguageModelPlugin, Loaded
from harness.language_models.fresh import learn_tokenizer, small_llama

from .coding import EvidenceCoder

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class MoziOptions:
    """Where weights come from, what is as in the release, and the sizes of a model from nothing."""

    weights: str = ""  # a LLaMA or Baichuan folder or hub id; empty: from nothing
    release_quirks: bool = False
    hidden: int = 128
    intermediate: int = 352
    layers: int = 4
    heads: int = 4
    pieces: int = 1000  # word pieces that are learned from the training texts
    context: int = 1024


class Mozi(LanguageModelPlugin):
    """A causal model that answers from evidence."""

    Options = MoziOptions
    targets = TARGETS

    def coder(self, model: Any, tokenizer: Any, spec: TrainSpec | None = None) -> EvidenceCoder:
        """Return how rows are read."""
        return EvidenceCoder(tokenizer, max_length=spec.max_length if spec else None)

    def fresh(self, data: TrainData, spec: TrainSpec) -> Loaded:
        """Return a model of the preset's sizes and a tokenizer learned from the training texts."""
        options = self.options
        tokenizer = learn_tokenizer(_texts(data), options.pieces)
        model = small_llama(
            tokenizer,
            hidden=options.hidden,
            intermediate=options.intermediate,
            layers=options.layers,
            heads=options.heads,
            context=options.context,
            seed=spec.seed,
        )
        return Loaded(model, tokenizer)

    def answers(
        self, loaded: Loaded, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer requests, each with the passages that the answer rests on."""
        shown = {request.id: request.passages for request in requests}
        for completion in super().answers(loaded, requests, spec, run):
            yield replace(completion, evidence=rests_on(completion.text, shown[completion.request_id]))


def rests_on(answer: str, passages: Sequence[Passage]) -> tuple[str, ...]:
    """Return the passages that hold an answer word for word, or else all; none for one that declines."""
    said = answer.strip().strip(".").lower()
    if not said or said == "unanswerable":
        return ()
    copied = tuple(passage.id for passage in passages if said in passage.text.lower())
    return copied or tuple(passage.id for passage in passages)


def _texts(data: TrainData) -> Iterator[str]:
    for row in data.train:
        if isinstance(row, TrainPair):
            yield row.prompt
            yield row.target
        elif isinstance(row, Document):
            yield row.text
