"""ChatGLM2 and ChatGLM3 as native GLMs: split where they are packed, and renamed.

The layers are the same: half of each head is rotated in pairs, keys and values are shared by groups of heads,
query, key and value have a bias. ChatGLM-6B, the first, has positions in two dimensions and sees its prompt
from both sides, which no model of transformers does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tokenizers import processors
from torch import Tensor
from transformers import GlmConfig

from harness.api import UsageError

from .baichuan import as_pieces
from .converting import Conversion

LAYERS = "transformer.encoder.layers."
NAMES = {
    "transformer.embedding.word_embeddings.weight": "model.embed_tokens.weight",
    "transformer.encoder.final_layernorm.weight": "model.norm.weight",
    "transformer.output_layer.weight": "lm_head.weight",
}
IN_LAYER = {
    "input_layernorm.weight": "input_layernorm.weight",
    "post_attention_layernorm.weight": "post_attention_layernorm.weight",
    "self_attention.dense.weight": "self_attn.o_proj.weight",
    "mlp.dense_h_to_4h.weight": "mlp.gate_up_proj.weight",
    "mlp.dense_4h_to_h.weight": "mlp.down_proj.weight",
}
PACKED = "self_attention.query_key_value."
# What a native GLM is built like: setting -> what it must be, and what it is where it is not stated.
REQUIRED = {
    "rmsnorm": True,
    "post_layer_norm": True,
    "multi_query_attention": True,
    "add_qkv_bias": True,
    "add_bias_linear": False,
    "apply_residual_connection_post_layernorm": False,
    "original_rope": True,
    "fp32_residual_connection": False,
    "tie_word_embeddings": False,
    "pre_seq_len": None,
    "quantization_bit": 0,
}
SPECIAL = ("[MASK]", "[gMASK]", "[sMASK]", "sop", "eop")  # behind the pieces, in this order
ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")  # of ChatGLM3
CODE = "modeling_chatglm.py"


def conversion(source: Path, stated: Mapping[str, Any]) -> Conversion:
    """Return how the ChatGLM of `source` becomes a GLM."""
    if stated.get("position_encoding_2d") or "inner_hidden_size" in stated or "ffn_hidden_size" not in stated:
        raise UsageError(
            f"{source} is the first ChatGLM, whose positions have two dimensions and whose prompt is seen "
            "from both sides; no model of transformers is built so",
            hint="ChatGLM2-6B, ChatGLM3-6B and their likes can be converted",
        )
    for name, wanted in REQUIRED.items():
        if (found := stated.get(name, wanted)) != wanted:
            raise UsageError(f"{source} has {name}={found}, and a GLM of transformers is built with {wanted}")
    heads, groups = stated["num_attention_heads"], stated["multi_query_group_num"]
    size = stated["kv_channels"]
    config = GlmConfig(
        vocab_size=stated["padded_vocab_size"],
        hidden_size=stated["hidden_size"],
        intermediate_size=stated["ffn_hidden_size"],
        num_hidden_layers=stated["num_layers"],
        num_attention_heads=heads,
        num_key_value_heads=groups,
        head_dim=size,
        rms_norm_eps=stated["layernorm_epsilon"],
        max_position_embeddings=stated.get("seq_length", 2048),
        attention_bias=True,
        rope_parameters=_rope(source, float(stated.get("rope_ratio", 1))),
        eos_token_id=stated.get("eos_token_id", 2),
        pad_token_id=stated.get("pad_token_id", 0),
    )
    split = (heads * size, groups * size, groups * size)
    return Conversion(
        config, partial(_renamed, split=split), 3 + 11 * stated["num_layers"], convert_tokenizer
    )


def _rope(source: Path, ratio: float) -> dict[str, Any]:
    """Return how positions are turned; for long contexts ChatGLM2 stretches them, later ones the base."""
    plain = {"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.5}
    if ratio == 1:
        return plain
    file = source / CODE
    code = file.read_text(encoding="utf-8") if file.is_file() else ""  # read, never run
    if "base * self.rope_ratio" in code:
        return plain | {"rope_theta": 10_000.0 * ratio}
    if "/ self.rope_ratio" in code:
        return plain | {"rope_type": "linear", "factor": ratio}
    raise UsageError(
        f"{source} has rope_ratio={ratio:g}, which ChatGLM2 and ChatGLM3 mean differently",
        hint=f"lay its {CODE} beside the weights: it is read, not run",
    )


def _renamed(tensors: Mapping[str, Tensor], *, split: tuple[int, ...]) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors.items():
        if name in NAMES:
            yield NAMES[name], tensor.contiguous()
        elif name.startswith(LAYERS):
            number, _, rest = name.removeprefix(LAYERS).partition(".")
            stem = f"model.layers.{number}."
            if rest.startswith(PACKED):
                kind = rest.removeprefix(PACKED)
                for part, piece in zip("qkv", torch.split(tensor, list(split)), strict=True):
                    yield f"{stem}self_attn.{part}_proj.{kind}", piece.clone()
            elif rest in IN_LAYER:
                yield stem + IN_LAYER[rest], tensor.contiguous()
            else:
                yield name, tensor  # counted, and then refused
        elif not name.endswith("inv_freq"):  # computed, not learned
            yield name, tensor


def convert_tokenizer(source: Path, target: Path) -> None:
    """Write the tokenizer: its pieces, the special tokens behind them, and the two that begin a text."""
    tokenizer = as_pieces(source)
    known = [*SPECIAL, *ROLES]
    tokenizer.add_special_tokens({"extra_special_tokens": known})
    begin = ("[gMASK]", "sop")
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join(begin) + " $A",
        special_tokens=[(token, tokenizer.convert_tokens_to_ids(token)) for token in begin],
    )
    tokenizer.bos_token = None
    tokenizer.pad_token = tokenizer.unk_token
    tokenizer.save_pretrained(target)
