"""Weights in fewer bits, written so that they load as they are, with what that costs: size and perplexity."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from harness import decoding, training
from harness.api import DataError, GenerateSpec, Request, RunContext, RunSpec, UsageError
from harness.files.folders import whole_folder
from harness.language_models import load
from harness.language_models.loading import Source

from .merging import bytes_of, refuse_taken

KINDS = {"int8": "8bit", "nf4": "4bit"}


class Measured(NamedTuple):
    """What weights take, how well they predict, and on how many tokens that was measured."""

    size: int
    perplexity: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Quantised:
    """The same weights before and after."""

    before: Measured
    after: Measured


def quantise(source: str, target: Path, kind: str, texts: Sequence[str]) -> Quantised:
    """Write weights in 8 or 4 bits; what was written is loaded again and measured on the same texts."""
    refuse_taken(target)
    _refuse_unfit(source)
    bits = training.few_bits(KINDS[kind])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = training.load_dtype("auto", device)
    model, tokenizer = load(source, dtype)
    before = measured(model.to(device), tokenizer, texts)
    del model
    with whole_folder(target) as folder:
        model, tokenizer = load(source, dtype, bits)
        _require_quantised(model, source)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        del model
    return Quantised(before, measured(*load(str(target), dtype), texts))


def measured(model: Any, tokenizer: Any, texts: Sequence[str]) -> Measured:
    """Return a model's bytes and its perplexity: exp of the mean surprise of all but the first tokens."""
    run = RunContext(Path(), RunSpec("weights", "ppl"))
    requests = [Request(str(number), text) for number, text in enumerate(texts)]
    told = list(decoding.log_likelihoods(model.eval(), tokenizer, requests, GenerateSpec(), run))
    logs = math.fsum(said.log_likelihood or 0.0 for said in told)
    tokens = sum(said.new_tokens for said in told)
    if not tokens:
        raise DataError(
            "there is no text to measure perplexity on", hint="--text FILE with a document a line"
        )
    return Measured(bytes_of(model), math.exp(-logs / tokens), tokens)


def _refuse_unfit(source: str) -> None:
    if training.is_adapter(source):
        raise UsageError(f"{source} is an adapter", hint="run-bench weights merge makes whole weights of it")
    if Source(source).packed:
        raise UsageError(f"{source} is a GGUF file, whose weights are packed already")
    config = Path(source) / "config.json"
    if config.is_file() and "quantization_config" in json.loads(config.read_text(encoding="utf-8")):
        raise UsageError(f"{source} holds weights that are quantised already")


def _require_quantised(model: Any, source: str) -> None:
    from bitsandbytes.nn import Linear4bit, Linear8bitLt

    if not any(isinstance(module, Linear4bit | Linear8bitLt) for module in model.modules()):
        raise UsageError(f"{source} has no layer that can be quantised")
