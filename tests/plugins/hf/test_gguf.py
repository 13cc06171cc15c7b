"""A GGUF file is unpacked into the model it was made of, which can be trained and saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from harness.plugins.hf.model import HuggingFace, HuggingFaceOptions

from .test_hf import REQUESTS, opened, texts

gguf = pytest.importorskip("gguf")
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write_gguf(model: Any, tokenizer: Any, path: Path) -> None:
    config = model.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    vocabulary += [f"<unused{n}>" for n in range(config.vocab_size - len(vocabulary))]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(vocabulary)
    writer.add_token_types([3 if token.startswith("<") and len(token) > 1 else 1 for token in vocabulary])
    writer.add_token_scores([0.0] * len(vocabulary))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, weight in model.state_dict().items():
        plain = name.removesuffix(".weight")
        if plain in OUTER:
            writer.add_tensor(f"{OUTER[plain]}.weight", weight.numpy())
            continue
        layer, _, rest = plain.removeprefix("model.layers.").partition(".")
        heads = {
            "self_attn.q_proj": config.num_attention_heads,
            "self_attn.k_proj": config.num_key_value_heads,
        }
        if rest in heads:  # GGUF keeps the halves of a rotation side by side
            rows = weight.reshape(heads[rest], 2, -1, weight.shape[1])
            weight = rows.swapaxes(1, 2).reshape(weight.shape).contiguous()
        writer.add_tensor(f"blk.{layer}.{NAMES[rest]}.weight", weight.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_answers_as_its_model_and_is_trained(folder, run, data, training, tmp_path):
    path = folder("llama")
    with opened(path, run()) as plain:
        answers = texts(plain, run())
        (tmp_path / "packed").mkdir()
        model, tokenizer = plain.loaded
        write_gguf(model, tokenizer, tmp_path / "packed" / "model.gguf")
    for place in (tmp_path / "packed", tmp_path / "packed" / "model.gguf"):
        with opened(place, run()) as packed:
            assert texts(packed, run()) == answers
            assert not hasattr(packed.loaded.model.config, "quantization_config")
    model = HuggingFace(HuggingFaceOptions(weights=str(tmp_path / "packed" / "model.gguf")))
    trained = model.train(data, training(), run())
    saved = LlamaForCausalLM.from_pretrained(trained.path)
    assert isinstance(saved, torch.nn.Module)
    with HuggingFace().open(trained, run()) as session:
        assert len(texts(session, run())) == len(REQUESTS)
