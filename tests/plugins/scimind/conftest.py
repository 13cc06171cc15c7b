"""Small SciMind models with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from harness.plugins.scimind.configuration import SciMindConfig
from harness.plugins.scimind.modeling import SciMindForCausalLM

RANGES = {"molecule": [20, 26], "nucleotide": [26, 31], "protein": [31, 40]}


def config(**changes: Any) -> SciMindConfig:
    """Return the configuration of a model that fits in a test."""
    sizes = {
        "vocab_size": 40,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_experts": 8,
        "experts_per_token": {"text": 6, "molecule": 2, "nucleotide": 3, "protein": 4},
        "modality_ranges": RANGES,
        "pad_token_id": 0,
        "initializer_range": 0.2,
    }
    return SciMindConfig(**{**sizes, **changes})


@pytest.fixture
def scimind() -> Callable[..., SciMindForCausalLM]:
    """Return a function that makes a small model with weights from a seed."""

    def make(**changes: Any) -> SciMindForCausalLM:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return SciMindForCausalLM(config(**changes)).eval()

    return make


@pytest.fixture
def mixed_ids() -> torch.Tensor:
    """Return two rows with tokens of all four modalities."""
    return torch.tensor([[1, 5, 20, 21, 6, 27, 33, 2], [1, 22, 23, 24, 25, 30, 39, 9]])


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """Return a folder with a small LLaMA and a byte-level tokenizer with its special pieces."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: index for index, token in enumerate(["<unk>", "<s>", "</s>", *alphabet])}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    folder = tmp_path / "llama"
    PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocab),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
