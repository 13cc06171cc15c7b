"""Weights between Hugging Face folders and MindSpore checkpoints."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from harness import DataError, UsageError
from harness.plugins.scimind.convert import (
    from_mindspore_name,
    to_folder,
    to_mindspore,
    to_mindspore_name,
)
from harness.plugins.scimind.mindspore_ckpt import CheckpointReader, write_checkpoint
from harness.plugins.scimind.modeling import SciMindForCausalLM

IDS = torch.tensor([[1, 5, 20, 21, 6, 27, 33, 2]])


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    config = LlamaConfig(
        vocab_size=40, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    model.to(torch.float16).save_pretrained(tmp_path / "llama", max_shard_size="20KB")
    return tmp_path / "llama"


def test_names_are_those_of_the_release() -> None:
    pairs = {
        "model.embed_tokens.weight": "model.tok_embeddings.embedding_weight",
        "model.layers.31.self_attn.q_proj.weight": "model.layers.31.attention.wq.weight",
        "model.layers.0.self_attn.o_proj.weight": "model.layers.0.attention.wo.weight",
        "model.layers.0.mlp.gate_proj.weight": "model.layers.0.feed_forward.w1.weight",
        "model.layers.0.mlp.down_proj.weight": "model.layers.0.feed_forward.w2.weight",
        "model.layers.0.mlp.up_proj.weight": "model.layers.0.feed_forward.w3.weight",
        "model.layers.0.input_layernorm.weight": "model.layers.0.attention_norm.weight",
        "model.layers.0.post_attention_layernorm.weight": "model.layers.0.ffn_norm.weight",
        "model.norm.weight": "model.norm_out.weight",
        "lm_head.weight": "lm_head.weight",
    }
    assert {name: to_mindspore_name(name) for name in pairs} == pairs
    assert {from_mindspore_name(name): name for name in pairs.values()} == pairs
    assert from_mindspore_name("adam_m.model.layers.0.attention.wq.weight") is None
    assert to_mindspore_name("model.layers.0.mlp.expert_of_neuron") is None


def test_there_and_back_gives_the_same_logits(llama: Path, tmp_path: Path) -> None:
    to_mindspore(llama, tmp_path / "m.ckpt")
    done = to_folder(tmp_path / "m.ckpt", tmp_path / "back", like=llama, shard_bytes=20_000)
    assert done.tensors == 21
    assert len(list((tmp_path / "back").glob("*.safetensors"))) > 1
    original = LlamaForCausalLM.from_pretrained(llama, dtype=torch.float32).eval()
    back = SciMindForCausalLM.from_pretrained(tmp_path / "back", dtype=torch.float32).eval()
    assert back.config.routing == "dense"
    assert torch.allclose(back(input_ids=IDS).logits, original(input_ids=IDS).logits, atol=1e-6)


def test_optimizer_state_is_left_out_and_named(llama: Path, tmp_path: Path) -> None:
    to_mindspore(llama, tmp_path / "m.ckpt")
    with CheckpointReader(tmp_path / "m.ckpt") as reader:
        tensors = [(name, reader.read(name)) for name in reader.tensors]
    moments = [("adam_m." + name, tensor) for name, tensor in tensors]
    write_checkpoint(tmp_path / "t.ckpt", [*tensors, *moments, ("global_step", torch.tensor(5))])
    done = to_folder(tmp_path / "t.ckpt", tmp_path / "back", like=llama)
    assert done.tensors == 21
    assert len(done.skipped) == 22


def test_the_release_partition_comes_along(llama: Path, tmp_path: Path) -> None:
    to_mindspore(llama, tmp_path / "m.ckpt")
    labels = np.arange(64) % 16
    for layer in range(2):
        np.save(tmp_path / f"patterns_{layer}.npy", np.eye(16, dtype=bool)[labels].T)
    to_folder(tmp_path / "m.ckpt", tmp_path / "back", like=llama, partition=tmp_path)
    model = SciMindForCausalLM.from_pretrained(tmp_path / "back", dtype=torch.float32)
    assert model.config.routing == "as_described"
    assert model.model.layers[1].mlp.expert_of_neuron.tolist() == labels.tolist()


def test_one_ranks_slice_says_what_is_missing(llama: Path, tmp_path: Path) -> None:
    to_mindspore(llama, tmp_path / "m.ckpt")
    with CheckpointReader(tmp_path / "m.ckpt") as reader:
        slice_ = [(name, reader.read(name)) for name in reader.tensors if "layers.0" not in name]
    write_checkpoint(tmp_path / "s.ckpt", slice_)
    with pytest.raises(DataError, match=r"lacks 9 weights, the first is 'model\.layers\.0"):
        to_folder(tmp_path / "s.ckpt", tmp_path / "back", like=llama)


def test_a_config_of_another_model_is_refused(llama: Path, tmp_path: Path) -> None:
    to_mindspore(llama, tmp_path / "m.ckpt")
    LlamaConfig(hidden_size=64, num_attention_heads=4).save_pretrained(tmp_path / "other")
    with pytest.raises(DataError, match="has hidden_size 32"):
        to_folder(tmp_path / "m.ckpt", tmp_path / "back", like=tmp_path / "other")
    with pytest.raises(UsageError, match="do not say how many heads"):
        to_folder(tmp_path / "m.ckpt", tmp_path / "back")


def test_routed_experts_are_refused(scimind: Callable[..., SciMindForCausalLM], tmp_path: Path) -> None:
    scimind(routing="routed").save_pretrained(tmp_path / "routed")
    with pytest.raises(UsageError, match="no counterpart"):
        to_mindspore(tmp_path / "routed", tmp_path / "m.ckpt")
    assert not (tmp_path / "m.ckpt").exists()


def test_the_command_converts_and_says_what_is_wrong(
    main: Callable[..., Any], llama: Path, tmp_path: Path
) -> None:
    done = main("convert", llama, tmp_path / "m.ckpt")
    assert done.code == 0 and "21 tensors" in done.out, done.err
    (tmp_path / "bad.ckpt").write_bytes(b"garbage")
    done = main("convert", tmp_path / "bad.ckpt", tmp_path / "back")
    assert done.code == 4 and done.err.startswith("error: ")


def test_a_large_file_is_converted_in_little_memory(tmp_path: Path) -> None:
    """Six layers of 26 MB must fit where one shard of 16 MB does."""
    hidden, layers = 512, 6
    shapes = {
        "attention.wq": (hidden, hidden),
        "attention.wk": (hidden, hidden),
        "attention.wv": (hidden, hidden),
        "attention.wo": (hidden, hidden),
        "feed_forward.w1": (16 * hidden, hidden),
        "feed_forward.w2": (hidden, 16 * hidden),
        "feed_forward.w3": (16 * hidden, hidden),
        "attention_norm": (hidden,),
        "ffn_norm": (hidden,),
    }
    write_checkpoint(
        tmp_path / "big.ckpt",
        [
            ("model.tok_embeddings.embedding_weight", torch.zeros(64, hidden, dtype=torch.float16)),
            ("model.norm_out.weight", torch.zeros(hidden, dtype=torch.float16)),
            ("lm_head.weight", torch.zeros(64, hidden, dtype=torch.float16)),
            *(
                (f"model.layers.{layer}.{name}.weight", torch.zeros(shape, dtype=torch.float16))
                for layer in range(layers)
                for name, shape in shapes.items()
            ),
        ],
    )
    assert (tmp_path / "big.ckpt").stat().st_size > 6 * 26e6
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from harness.plugins.scimind.convert import to_folder\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "to_folder(Path(sys.argv[1]), Path(sys.argv[2]), heads=8, shard_bytes=16 * 2**20)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "big.ckpt"), str(tmp_path / "back")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    grown = int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 60e6
    assert sum(f.stat().st_size for f in (tmp_path / "back").glob("*.safetensors")) > 6 * 26e6
