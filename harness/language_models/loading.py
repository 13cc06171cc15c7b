"""Models and tokenizers out of folders and from the hub; what cannot be loaded is said in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedConfig,
)

from harness.api import DataError, UsageError

WANTED = "config.json, model.safetensors and the tokenizer's files"


class Loaded(NamedTuple):
    """A model with the tokenizer it was made for."""

    model: Any
    tokenizer: Any


@contextmanager
def named_if_absent(path: str, what: str = "model") -> Iterator[None]:
    """Turn what transformers says of a folder that it cannot load into one sentence."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise DataError(
            f"no {what} could be loaded from {path}: {str(error).splitlines()[0]}",
            hint=f"--set model.weights=DIR with {WANTED}",
        ) from error


def load(path: str, dtype: torch.dtype, quantization: Any = None) -> Loaded:
    """Load whatever model a folder or a hub id holds."""
    with named_if_absent(path):
        stated, _ = PreTrainedConfig.get_config_dict(path)
        if stated.get("model_type") == "baichuan":
            raise UsageError(
                f"{path} is a Baichuan, whose published code runs no longer",
                hint=f"python -m harness.language_models.baichuan {path} FOLDER makes a LLaMA of it",
            )
        config = AutoConfig.from_pretrained(path)
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model = kind.from_pretrained(path, dtype=dtype, quantization_config=quantization)
    return Loaded(model, load_tokenizer(path))


def load_tokenizer(path: str, what: str = "tokenizer") -> Any:
    """Load the tokenizer of a folder or a hub id."""
    with named_if_absent(path, what):
        return AutoTokenizer.from_pretrained(path)
