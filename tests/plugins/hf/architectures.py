"""Sixteen architectures that transformers ships, each as small as its config allows, with wide weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as hf

VOCABULARY = 320
TOKENS = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
CAUSAL = TOKENS | {"initializer_range": 0.3}
HIDDEN = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
PLAIN = CAUSAL | HIDDEN | {"intermediate_size": 64, "max_position_embeddings": 128}
GROUPED = PLAIN | {"num_key_value_heads": 2}
GPT = CAUSAL | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
PAIR = TOKENS | {
    **{"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "max_position_embeddings": 128},
    **{"encoder_attention_heads": 4, "decoder_attention_heads": 4, "init_std": 0.3},
    **{"encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "forced_eos_token_id": None},
}
T5 = {
    **{"vocab_size": VOCABULARY, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4},
    **{"pad_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 0, "initializer_factor": 2.0},
}

ARCHITECTURES: dict[str, Callable[[], Any]] = {
    "gpt2": lambda: hf.GPT2Config(**GPT),
    "gpt_neox": lambda: hf.GPTNeoXConfig(**PLAIN),
    "opt": lambda: hf.OPTConfig(
        **TOKENS, **HIDDEN, init_std=0.3, ffn_dim=64, max_position_embeddings=128, word_embed_proj_dim=32
    ),
    "bloom": lambda: hf.BloomConfig(**CAUSAL, hidden_size=32, n_layer=2, n_head=4),
    "falcon": lambda: hf.FalconConfig(**CAUSAL, **HIDDEN, alibi=False),
    "phi3": lambda: hf.Phi3Config(**GROUPED),
    "llama": lambda: hf.LlamaConfig(**GROUPED),
    "mistral": lambda: hf.MistralConfig(**GROUPED, sliding_window=16),
    "mixtral": lambda: hf.MixtralConfig(**GROUPED, num_local_experts=4),
    "qwen2": lambda: hf.Qwen2Config(**GROUPED),
    "qwen3": lambda: hf.Qwen3Config(**GROUPED, head_dim=8),
    "gemma2": lambda: hf.Gemma2Config(**GROUPED, head_dim=8, sliding_window=16),
    "glm": lambda: hf.GlmConfig(**GROUPED, head_dim=8),
    "t5": lambda: hf.T5Config(**T5),
    "bart": lambda: hf.BartConfig(**PAIR, decoder_start_token_id=2),
    "pegasus": lambda: hf.PegasusConfig(**PAIR, decoder_start_token_id=0),
}


OTHERS: dict[str, Callable[[], Any]] = {
    "wide_llama": lambda: hf.LlamaConfig(**GROUPED | {"hidden_size": 64, "intermediate_size": 128}),
}


def made(name: str) -> Any:
    """Return a model of an architecture with random weights."""
    torch.manual_seed(0)
    config = (ARCHITECTURES | OTHERS)[name]()
    kind = hf.AutoModelForSeq2SeqLM if config.is_encoder_decoder else hf.AutoModelForCausalLM
    return kind.from_config(config).eval()
