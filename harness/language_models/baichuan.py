"""Baichuan as a plain LLaMA: its published code runs no longer, its layers are those of LLaMA.

The packed query, key and value of Baichuan-7B and Baichuan2-7B are split; of Baichuan2 the head's rows are
brought to length one, which its code did at every step. Baichuan-13B adds a bias to its attention that LLaMA
does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaTokenizer

from harness.api import DataError, UsageError

from .converting import Conversion

PACKED = "self_attn.W_pack.weight"
SECOND = 125_696  # pieces of Baichuan2's vocabulary, by which its published code knows it too
PROBES = ("The data set holds 3,044 sentences.", "糖尿病的症状是什么？", "a  b\n\tc — ünï")
COPIED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "initializer_range",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
)


def conversion(source: Path, stated: Mapping[str, Any]) -> Conversion:
    """Return how the Baichuan of `source` becomes a LLaMA."""
    if "max_position_embeddings" not in stated:
        raise UsageError(
            f"{source} is a Baichuan-13B, whose attention has a bias by distance (ALiBi) that LLaMA lacks",
            hint="the 7B models can be converted",
        )
    config = LlamaConfig(
        **{key: stated[key] for key in COPIED if key in stated},
        tie_word_embeddings=bool(stated.get("tie_word_embeddings", False)),
    )
    weights = 3 + 9 * config.num_hidden_layers - int(config.tie_word_embeddings)
    renamed = partial(_renamed, normalise=config.vocab_size == SECOND)
    return Conversion(config, renamed, weights, convert_tokenizer)


def _renamed(tensors: Mapping[str, Tensor], *, normalise: bool) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors.items():
        if name.endswith(PACKED):
            stem = name.removesuffix("W_pack.weight")
            for part, weight in zip("qkv", tensor.chunk(3), strict=True):
                yield f"{stem}{part}_proj.weight", weight.clone()
        elif name == "lm_head.weight" and normalise:
            yield name, torch.nn.functional.normalize(tensor.float()).to(tensor.dtype)
        elif not name.endswith("rotary_emb.inv_freq"):  # computed, not learned
            yield name, tensor.contiguous()


def convert_tokenizer(source: Path, target: Path) -> None:
    """Write a tokenizer of transformers that splits texts as the SentencePiece model does, or refuse."""
    tokenizer = as_pieces(source)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token
    tokenizer.save_pretrained(target)


def as_pieces(source: Path) -> Any:
    """Return a tokenizer that splits texts as the SentencePiece model in a folder does, or refuse."""
    import sentencepiece  # here, because weights without a tokenizer need none

    file = source / "tokenizer.model"
    try:
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(file))
    except RuntimeError as error:
        raise DataError(
            f"{file} is no SentencePiece model",
            hint="such as GLM-4's; its publisher has weights in the form of transformers too (…-hf)",
        ) from error
    for prefix in (False, True):
        tokenizer = LlamaTokenizer.from_pretrained(
            str(source), add_prefix_space=prefix, legacy=False, padding_side="left"
        )
        read = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in PROBES]
        if read == [pieces.encode(text) for text in PROBES]:
            return tokenizer
    raise DataError(f"{file} splits texts in a way that no tokenizer of transformers repeats")
