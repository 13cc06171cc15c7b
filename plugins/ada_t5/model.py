"""The model plugin: T5 without prefixes; the direction is told by the text itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import AutoConfig, T5Config, T5ForConditionalGeneration

from harness import (
    Completion,
    GenerateSpec,
    Request,
    RunContext,
    TrainData,
    TrainRow,
    TrainSpec,
    UsageError,
)
from harness.language_models import (
    LanguageModelPlugin,
    LanguageModelSession,
    Loaded,
    Seq2SeqCoder,
    load_tokenizer,
    named_if_absent,
)

from . import vocabulary

# The release spares these; T5 calls its norms layer_norm, so that the second spares nothing.
RELEASE_NO_DECAY = ("bias", "LayerNorm.")


@dataclass(frozen=True, slots=True)
class AdaT5Options:
    """Where weights come from; without any, the sizes of a model that starts from nothing."""

    weights: str = ""  # a path or a hub id
    grow_vocabulary: bool = False  # add the characters that the tokenizer cannot write
    release_quirks: bool = False  # decay the weights of norms, as in the release
    vocabulary_size: int = 512
    d_model: int = 128
    d_ff: int = 512
    layers: int = 3
    heads: int = 4
    relative_buckets: int = 128
    dropout: float = 0.0


class AdaT5Session(LanguageModelSession):
    """An open T5, which says what of the prompts it cannot read."""

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer requests."""
        prompts = (request.prompt for request in requests)
        _report(run, "prompts", *vocabulary.unwritable(self.tokenizer, prompts))
        return super().generate(requests, spec, run)


class AdaT5(LanguageModelPlugin):
    """A T5 that reads SMILES and writes captions, or the other way round."""

    Options = AdaT5Options
    Session = AdaT5Session

    def fresh(self, data: TrainData, spec: TrainSpec) -> Loaded:
        """Return a T5 of the preset's sizes and a tokenizer learned from the training texts."""
        texts = (text for row in data.train for text in row.texts())
        tokenizer = vocabulary.from_texts(texts, self.options.vocabulary_size)
        options = self.options
        config = T5Config(
            vocab_size=len(tokenizer),
            d_model=options.d_model,
            d_kv=options.d_model // options.heads,
            d_ff=options.d_ff,
            num_layers=options.layers,
            num_heads=options.heads,
            relative_attention_num_buckets=options.relative_buckets,
            relative_attention_max_distance=max(128, options.relative_buckets),
            dropout_rate=options.dropout,
            feed_forward_proj="gated-gelu",
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.pad_token_id,
        )
        torch.manual_seed(spec.seed)
        return Loaded(T5ForConditionalGeneration(config), tokenizer)

    def load(
        self, path: str, dtype: torch.dtype, quantization: Any = None, rows: Iterable[TrainRow] = ()
    ) -> Loaded:
        """Load a T5."""
        with named_if_absent(path, "T5"):
            kind = AutoConfig.from_pretrained(path).model_type
        if kind != "t5":
            raise UsageError(
                f"{path} holds a model of type {kind}, ada-t5 takes a T5", hint="--set model.weights=DIR"
            )
        tokenizer = self.load_tokenizer(path)
        with named_if_absent(path, "T5"):
            model = T5ForConditionalGeneration.from_pretrained(
                path, dtype=dtype, quantization_config=quantization
            )
        return Loaded(model, tokenizer)

    def load_tokenizer(self, path: str) -> Any:
        """Load the tokenizer of a T5."""
        return load_tokenizer(path, "T5")

    def coder(self, model: Any, tokenizer: Any, spec: TrainSpec | None = None) -> Seq2SeqCoder:
        """Return how pairs are read: cut to the training's length, never at generation."""
        return Seq2SeqCoder(tokenizer, max_length=spec.max_length if spec else None)

    def begin(self, loaded: Loaded, data: TrainData, spec: TrainSpec, run: RunContext) -> TrainSpec:
        """Say what the tokenizer loses or grow it, and say how many rows are cut."""
        if self.options.release_quirks:
            spec = replace(spec, options={**spec.options, "no_decay": RELEASE_NO_DECAY})
            run.event("note", text="the weights of norms were decayed, as in the release")
        model, tokenizer = loaded
        texts = (text for row in data.train for text in row.texts())
        lost, touched, total = vocabulary.unwritable(tokenizer, texts)
        if lost and self.options.grow_vocabulary:
            vocabulary.grow(tokenizer, model, lost)
            run.event("note", text=f"vocabulary grown by {_named(lost)}")
        else:
            _report(run, "training texts", lost, touched, total)
        if cut := sum(vocabulary.is_cut(tokenizer, row.texts(), spec.max_length) for row in data.train):
            rows = sum(1 for _ in data.train)
            text = f"{cut} of {rows} training rows hold more than {spec.max_length} tokens and were cut"
            run.event("note", text=f"{text}; --set train.max_length=N lets in more")
        return spec


def _report(run: RunContext, what: str, lost: Mapping[str, int], touched: int, total: int) -> None:
    """Say what the tokenizer loses; a table carries it as a footnote."""
    if lost:
        text = f"{touched} of {total} {what} hold {_named(lost)}, which the tokenizer cannot write"
        run.event("note", text=f"{text}; --set model.grow_vocabulary=true adds them")


def _named(lost: Mapping[str, int]) -> str:
    return ", ".join(f"'{character}'" for character in sorted(lost))
