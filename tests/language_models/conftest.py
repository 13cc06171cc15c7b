"""A tokenizer of bytes with the special tokens of chat models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

SPECIAL = ("<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|eot_id|>", "[INST]", "[/INST]")


def byte_tokenizer(**special: Any) -> PreTrainedTokenizerFast:
    vocab = {"<pad>": 0, "<s>": 1, "</s>": 2}
    vocab |= {sign: len(vocab) + n for n, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    fast = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    named = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"} | special
    chosen = {name: value for name, value in named.items() if value is not None}
    return PreTrainedTokenizerFast(tokenizer_object=fast, extra_special_tokens=list(SPECIAL), **chosen)


@pytest.fixture
def tokenizer() -> Callable[..., PreTrainedTokenizerFast]:
    """Return a function that makes a tokenizer, with whatever special tokens it is to have."""
    return byte_tokenizer
