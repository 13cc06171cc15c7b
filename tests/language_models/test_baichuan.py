"""A tiny Baichuan, written after the published architecture, and the LLaMA it becomes: equal logits."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import AutoModelForCausalLM

from harness import DataError, UsageError
from harness.language_models import baichuan
from harness.language_models.converting import convert
from harness.language_models.loading import load

SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6,
}
CONFIG = SIZES | {
    "model_type": "baichuan",
    "auto_map": {"AutoConfig": "configuration_baichuan.BaiChuanConfig"},
}


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(SIZES["hidden_size"]) + 0.5)

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + SIZES["rms_norm_eps"])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        width = SIZES["hidden_size"]
        self.W_pack = nn.Linear(width, 3 * width, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x):
        length, heads = x.shape[0], SIZES["num_attention_heads"]
        size = x.shape[1] // heads
        query, key, value = (
            part.view(length, heads, size).transpose(0, 1) for part in self.W_pack(x).chunk(3, -1)
        )
        angles = torch.arange(length)[:, None] / 10000 ** (torch.arange(0, size, 2) / size)
        turn = torch.cat([angles, angles], -1)

        def rotate(states):
            first, second = states.chunk(2, -1)
            return states * turn.cos() + torch.cat([-second, first], -1) * turn.sin()

        scores = rotate(query) @ rotate(key).transpose(1, 2) / math.sqrt(size)
        scores = scores + torch.full((length, length), -math.inf).triu(1)
        return self.o_proj((scores.softmax(-1) @ value).transpose(0, 1).reshape(length, -1))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        width, inner = SIZES["hidden_size"], SIZES["intermediate_size"]
        self.gate_proj, self.up_proj = (nn.Linear(width, inner, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.self_attn, self.mlp = Attention(), Mlp()
        self.input_layernorm, self.post_attention_layernorm = Norm(), Norm()

    def forward(self, x):
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(SIZES["vocab_size"], SIZES["hidden_size"])
        self.layers = nn.ModuleList(Layer() for _ in range(SIZES["num_hidden_layers"]))
        self.norm = Norm()


class Baichuan(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Body()
        self.lm_head = nn.Linear(SIZES["hidden_size"], SIZES["vocab_size"], bias=False)

    def forward(self, ids, *, normalised=False):
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x)
        head = nn.functional.normalize(self.lm_head.weight) if normalised else self.lm_head.weight
        return self.model.norm(x) @ head.T


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return Baichuan()


def written(folder, model, config=CONFIG, *, shards=1):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    state = model.state_dict() | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    names = sorted(state)
    for number in range(shards):
        save_file(
            {name: state[name].contiguous() for name in names[number::shards]},
            folder / f"model-{number}.safetensors",
        )
    return folder


@pytest.mark.parametrize("shards", [1, 3])
def test_the_llama_says_what_the_baichuan_says(tiny, tmp_path, shards):
    convert(written(tmp_path / "old", tiny, shards=shards), tmp_path / "new")
    llama = AutoModelForCausalLM.from_pretrained(tmp_path / "new").eval()
    assert llama.config.model_type == "llama"
    ids = torch.tensor([[5, 17, 96, 3, 3, 42, 8]])
    with torch.inference_mode():
        assert (llama(ids).logits[0] - tiny(ids[0])).abs().max() < 1e-5


def test_of_the_second_baichuan_the_head_is_brought_to_length_one(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(baichuan, "SECOND", SIZES["vocab_size"])
    convert(written(tmp_path / "old", tiny), tmp_path / "new")
    llama = AutoModelForCausalLM.from_pretrained(tmp_path / "new").eval()
    ids = torch.tensor([[5, 17, 96, 3]])
    with torch.inference_mode():
        assert (llama(ids).logits[0] - tiny(ids[0], normalised=True)).abs().max() < 1e-5


def test_what_is_no_baichuan_that_can_be_converted_is_refused(tiny, tmp_path):
    thirteen = {key: value for key, value in CONFIG.items() if key != "max_position_embeddings"}
    with pytest.raises(UsageError, match="ALiBi"):
        convert(written(tmp_path / "a", tiny, thirteen), tmp_path / "x")
    with pytest.raises(UsageError, match="of type gpt2"):
        convert(written(tmp_path / "b", tiny, {"model_type": "gpt2"}), tmp_path / "x")
    del tiny.model.layers[1]
    with pytest.raises(DataError, match="holds 12 weights after splitting, 21 were expected"):
        convert(written(tmp_path / "c", tiny), tmp_path / "x")


def test_a_damaged_file_is_one_sentence_and_leaves_nothing(tiny, tmp_path):
    folder = written(tmp_path / "old", tiny)
    (folder / "model-0.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(DataError, match=r"model-0\.safetensors cannot be read"):
        convert(folder, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_loading_a_baichuan_says_how_to_convert_it(tiny, tmp_path):
    with pytest.raises(UsageError, match="Baichuan") as error:
        load(str(written(tmp_path / "old", tiny)), torch.float32)
    assert "run-bench weights convert" in error.value.hint


def test_the_tokenizer_splits_as_sentencepiece_does(tiny, tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")
    folder = written(tmp_path / "old", tiny)
    text = tmp_path / "text.txt"
    text.write_text(
        "the data set holds many sentences\n糖尿病的症状是什么\nwe train it for ten epochs\n" * 20
    )
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "tokenizer"), vocab_size=330, model_type="bpe",
        byte_fallback=True, add_dummy_prefix=False, normalization_rule_name="identity",
        remove_extra_whitespaces=False, minloglevel=2,
    )  # fmt: skip
    convert(folder, tmp_path / "new")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "new")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    for probe in ("ten sentences, 什么 data!", "the  set\n"):
        assert tokenizer(probe, add_special_tokens=False)["input_ids"] == pieces.encode(probe)
        assert tokenizer.decode(tokenizer(probe, add_special_tokens=False)["input_ids"]) == probe
