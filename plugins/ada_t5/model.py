"""The model plugin: T5 without prefixes; the direction is told by the text itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, T5Config, T5ForConditionalGeneration

from harness import (
    Checkpoint,
    Completion,
    DataError,
    GenerateSpec,
    ModelPlugin,
    PromptTokens,
    Request,
    RunContext,
    TrainData,
    TrainPair,
    TrainRow,
    TrainSpec,
    UsageError,
    decoding,
    training,
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


class AdaT5(ModelPlugin):
    """A T5 that reads SMILES and writes captions, or the other way round."""

    Options = AdaT5Options

    def train(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        """Pretrain on pairs in both directions at once."""
        if spec.stage != "pretrain":
            raise UsageError(f"ada-t5 has no stage '{spec.stage}'", hint="its stages are pretrain and sft")
        return self._fit(data, spec, run)

    def finetune(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        """Learn one direction."""
        return self._fit(data, spec, run)

    def generate(
        self, requests: Sequence[Request], checkpoint: Checkpoint | None, spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer requests with the checkpoint, or with the weights of the preset."""
        path = str(checkpoint.path) if checkpoint is not None else self.options.weights
        if not path:
            raise UsageError("this preset has no weights before training", hint="leave out --no-train")
        device = training.device_of(run)
        tokenizer, model = self._load(path, decoding.load_dtype(spec.precision, device))
        lost, touched, total = vocabulary.unwritable(tokenizer, (request.prompt for request in requests))
        _report(run, "prompts", lost, touched, total)
        yield from self._answers(model.to(device), tokenizer, requests, spec, run)

    def prompt_tokens(self, request: Request, checkpoint: Checkpoint | None) -> PromptTokens:
        """Return the token ids of a prompt; T5 has no token that begins a sequence."""
        path = str(checkpoint.path) if checkpoint is not None else self.options.weights
        if not path:
            raise UsageError("this preset has no tokenizer before training", hint="--checkpoint names one")
        tokenizer = self._load_tokenizer(path)
        ids = tokenizer(request.prompt)["input_ids"]
        return PromptTokens(tuple(ids), tuple(tokenizer.convert_ids_to_tokens(ids)))

    def _fit(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        training.check(data, spec)
        if self.options.release_quirks:
            spec = replace(spec, options={**spec.options, "no_decay": RELEASE_NO_DECAY})
            run.event("note", text="the weights of norms were decayed, as in the release")
        tokenizer, model = self._start(data, spec)
        texts = (text for row in data.train for text in _texts(row))
        lost, touched, total = vocabulary.unwritable(tokenizer, texts)
        if lost and self.options.grow_vocabulary:
            vocabulary.grow(tokenizer, model, lost)
            run.event("note", text=f"vocabulary grown by {_named(lost)}")
        else:
            _report(run, "training texts", lost, touched, total)
        if cut := sum(vocabulary.is_cut(tokenizer, _texts(row), spec.max_length) for row in data.train):
            text = f"{cut} of {total // 2} training rows hold more than {spec.max_length} tokens and were cut"
            run.event("note", text=f"{text}; --set train.max_length=N lets in more")

        def encode(row: TrainRow) -> Mapping[str, list[int]]:
            prompt, target = _texts(row)
            return {
                "input_ids": tokenizer(prompt, truncation=True, max_length=spec.max_length)["input_ids"],
                "labels": tokenizer(target, truncation=True, max_length=spec.max_length)["input_ids"],
            }

        def save(model: Any, folder: Path) -> None:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)

        def generate(model: Any, requests: Sequence[Request]) -> Iterable[Completion]:
            return self._answers(model, tokenizer, requests, run.spec.generate, run)

        pad = {"input_ids": tokenizer.pad_token_id, "labels": -100}
        return training.fit(model, data, encode, spec, run, save=save, pad=pad, generate=generate)

    def _answers(
        self, model: Any, tokenizer: Any, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        def encode(request: Request) -> Mapping[str, list[int]]:
            return {"input_ids": tokenizer(request.prompt)["input_ids"]}

        return decoding.generate(model, tokenizer, requests, spec, run, encode=encode)

    def _start(self, data: TrainData, spec: TrainSpec) -> tuple[Any, Any]:
        """Load what training starts from: an earlier stage, the preset's weights, or nothing."""
        if path := spec.base or self.options.weights:
            return self._load(path)
        texts = (text for row in data.train for text in _texts(row))
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
        return tokenizer, T5ForConditionalGeneration(config)

    def _load(self, path: str, dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
        with _named_if_absent(path):
            kind = AutoConfig.from_pretrained(path).model_type
        if kind != "t5":
            raise UsageError(
                f"{path} holds a model of type {kind}, ada-t5 takes a T5", hint="--set model.weights=DIR"
            )
        tokenizer = self._load_tokenizer(path)
        with _named_if_absent(path):
            model = T5ForConditionalGeneration.from_pretrained(path, dtype=dtype)
        return tokenizer, model

    def _load_tokenizer(self, path: str) -> Any:
        with _named_if_absent(path):
            return AutoTokenizer.from_pretrained(path)


@contextmanager
def _named_if_absent(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise DataError(
            f"no T5 could be loaded from {path}: {str(error).splitlines()[0]}",
            hint="--set model.weights=DIR with config.json, model.safetensors and the tokenizer's files",
        ) from error


def _texts(row: TrainRow) -> tuple[str, str]:
    if not isinstance(row, TrainPair):
        raise DataError(f"ada-t5 learns from pairs, not from {type(row).__name__}")
    return row.prompt, row.target


def _report(run: RunContext, what: str, lost: Mapping[str, int], touched: int, total: int) -> None:
    """Say what the tokenizer loses; a table carries it as a footnote."""
    if lost:
        text = f"{touched} of {total} {what} hold {_named(lost)}, which the tokenizer cannot write"
        run.event("note", text=f"{text}; --set model.grow_vocabulary=true adds them")


def _named(lost: Mapping[str, int]) -> str:
    return ", ".join(f"'{character}'" for character in sorted(lost))
