"""The model plugin: weights in, rows read with their evidence, trained and asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
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
from harness.language_models.fresh import SmallOptions, from_nothing

from .coding import EvidenceCoder

RATE_ENDS = 8  # the release's schedule is as much shorter than its training
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class MoziOptions(SmallOptions):
    """Weights of a LLaMA or a converted Baichuan, sizes of a model from nothing, and the release's quirks."""

    release_quirks: bool = False  # what changes numbers in the release and was not meant: see the README


class Mozi(LanguageModelPlugin):
    """A causal model that answers from evidence."""

    Options = MoziOptions
    targets = TARGETS

    def coder(self, model: Any, tokenizer: Any, spec: TrainSpec | None = None) -> EvidenceCoder:
        """Return how rows are read."""
        return EvidenceCoder(tokenizer, max_length=spec.max_length if spec else None)

    def fresh(self, data: TrainData, spec: TrainSpec) -> Loaded:
        """Return a model of the preset's sizes and a tokenizer learned from the training texts."""
        return from_nothing(_texts(data), self.options, spec.seed)

    def begin(self, loaded: Loaded, data: TrainData, spec: TrainSpec, run: RunContext) -> TrainSpec:
        """Repeat the release where that is asked for: how it pretrained, and where its rate reached zero."""
        if not self.options.release_quirks:
            return spec
        if spec.stage == "pretrain":
            hook = partial(separators_unattended, loaded.tokenizer.eos_token_id)
            loaded.model.register_forward_pre_hook(hook, with_kwargs=True)
        if spec.stage == "sft" and spec.max_steps:
            return replace(spec, max_steps=max(1, spec.max_steps // RATE_ENDS))
        return spec

    def answers(
        self, loaded: Loaded, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer requests, each with the passages that the answer rests on."""
        shown = {request.id: request.passages for request in requests}
        for completion in self._answers(loaded, requests, spec, run):
            yield replace(completion, evidence=rests_on(completion.text, shown[completion.request_id]))

    def _answers(
        self, loaded: Loaded, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer; the release looked for the end of text in the prompt too, and then said one token."""
        ended = loaded.tokenizer.eos_token if self.options.release_quirks else ""
        cut = [request for request in requests if ended and ended in request.prompt]
        whole = [request for request in requests if request not in cut]
        for asked, limit in ((whole, spec.max_new_tokens), (cut, 1)):
            yield from super().answers(loaded, asked, replace(spec, max_new_tokens=limit), run)


def separators_unattended(end: int, model: Any, args: Any, inputs: dict[str, Any]) -> Any:
    """Read a line as one text in which nothing attends to the ends of documents, as the release learned.

    Only while learning: at rest packed documents are kept apart, which training asks a model for.
    """
    if not model.training:
        return None
    kept = {key: value for key, value in inputs.items() if key != "position_ids"}
    return args, {**kept, "attention_mask": (inputs["input_ids"] != end).long()}


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
