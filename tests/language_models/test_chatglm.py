"""A tiny ChatGLM2, written after the published architecture, and the GLM it becomes: equal logits."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness import DataError, Request, UsageError
from harness.language_models import CausalCoder, template_for
from harness.language_models.converting import convert
from harness.language_models.loading import load

HEADS, GROUPS, SIZE, WIDTH, INNER, LAYERS, WORDS = 4, 2, 8, 32, 48, 2, 400
CONFIG: dict[str, Any] = {
    "model_type": "chatglm",
    "auto_map": {"AutoModel": "modeling_chatglm.ChatGLMForConditionalGeneration"},
    "padded_vocab_size": WORDS,
    "hidden_size": WIDTH,
    "ffn_hidden_size": INNER,
    "num_layers": LAYERS,
    "num_attention_heads": HEADS,
    "multi_query_attention": True,
    "multi_query_group_num": GROUPS,
    "kv_channels": SIZE,
    "layernorm_epsilon": 1e-5,
    "seq_length": 64,
    "rmsnorm": True,
    "add_qkv_bias": True,
    "add_bias_linear": False,
    "post_layer_norm": True,
    "original_rope": True,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(WIDTH) + 0.5)

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + CONFIG["layernorm_epsilon"])


def turned(x, positions, base):
    """Rotate the first half of each head, two neighbouring numbers at a time, and leave the rest."""
    half = SIZE // 2
    frequencies = base ** (-torch.arange(0, half, 2) / half)
    angles = positions[:, None, None] * frequencies
    even, odd, rest = x[..., 0:half:2], x[..., 1:half:2], x[..., half:]
    pair = torch.stack(
        [even * angles.cos() - odd * angles.sin(), odd * angles.cos() + even * angles.sin()], -1
    )
    return torch.cat([pair.flatten(-2), rest], -1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query_key_value = nn.Linear(WIDTH, (HEADS + 2 * GROUPS) * SIZE)
        self.dense = nn.Linear(HEADS * SIZE, WIDTH, bias=False)

    def forward(self, x, positions, base):
        length = len(x)
        mixed = self.query_key_value(x).split([HEADS * SIZE, GROUPS * SIZE, GROUPS * SIZE], -1)
        query, key, value = (part.view(length, -1, SIZE) for part in mixed)
        query, key = turned(query, positions, base), turned(key, positions, base)
        key, value = (part.repeat_interleave(HEADS // GROUPS, 1) for part in (key, value))
        scores = torch.einsum("qhd,khd->hqk", query, key) / math.sqrt(SIZE)
        scores = scores + torch.full((length, length), -math.inf).triu(1)
        return self.dense(torch.einsum("hqk,khd->qhd", scores.softmax(-1), value).reshape(length, -1))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense_h_to_4h = nn.Linear(WIDTH, 2 * INNER, bias=False)
        self.dense_4h_to_h = nn.Linear(INNER, WIDTH, bias=False)

    def forward(self, x):
        gate, up = self.dense_h_to_4h(x).chunk(2, -1)
        return self.dense_4h_to_h(nn.functional.silu(gate) * up)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(), Norm()
        self.self_attention, self.mlp = Attention(), Mlp()

    def forward(self, x, positions, base):
        x = x + self.self_attention(self.input_layernorm(x), positions, base)
        return x + self.mlp(self.post_attention_layernorm(x))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.final_layernorm = Norm()


class ChatGlm(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer: Any = nn.Module()
        self.transformer.embedding = nn.Module()
        self.transformer.embedding.word_embeddings = nn.Embedding(WORDS, WIDTH)
        self.transformer.encoder = Encoder()
        self.transformer.output_layer = nn.Linear(WIDTH, WORDS, bias=False)

    def forward(self, ids, *, base=10000.0, stretched=1.0):
        body: Any = self.transformer
        x = body.embedding.word_embeddings(ids)
        positions = torch.arange(len(ids)) / stretched
        for layer in body.encoder.layers:
            x = layer(x, positions, base)
        return body.output_layer(body.encoder.final_layernorm(x))


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return ChatGlm()


def written(folder, model, **changed):
    folder.mkdir(exist_ok=True)
    config = {key: value for key, value in {**CONFIG, **changed}.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(config))
    state = model.state_dict() | {"transformer.rotary_pos_emb.inv_freq": torch.ones(2)}
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "model.safetensors")
    return folder


IDS = torch.tensor([[5, 17, 96, 3, 3, 42, 8, 250]])


def said_by(folder):
    glm = AutoModelForCausalLM.from_pretrained(folder).eval()
    assert glm.config.model_type == "glm"
    with torch.inference_mode():
        return glm(IDS).logits[0]


def test_the_glm_says_what_the_chatglm_says(tiny, tmp_path):
    convert(written(tmp_path / "old", tiny), tmp_path / "new")
    with torch.inference_mode():
        assert (said_by(tmp_path / "new") - tiny(IDS[0])).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("seq_idx = torch.arange(seq_len) / self.rope_ratio", {"stretched": 16}),  # ChatGLM2
        ("base = base * self.rope_ratio", {"base": 160_000.0}),  # ChatGLM3 and GLM-4
    ],
)
def test_longer_contexts_are_turned_as_the_code_beside_them_says(tiny, tmp_path, code, meant):
    folder = written(tmp_path / "old", tiny, rope_ratio=16)
    with pytest.raises(UsageError, match="mean differently"):
        convert(folder, tmp_path / "new")
    (folder / "modeling_chatglm.py").write_text(f"raise SystemExit('never run')\n{code}\n")
    convert(folder, tmp_path / "new")
    with torch.inference_mode():
        assert (said_by(tmp_path / "new") - tiny(IDS[0], **meant)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"position_encoding_2d": True}, "the first ChatGLM"),
        ({"ffn_hidden_size": None}, "the first ChatGLM"),
        ({"multi_query_attention": False}, "multi_query_attention=False"),
        ({"add_bias_linear": True}, "add_bias_linear=True"),
        ({"quantization_bit": 4}, "quantization_bit=4"),
        ({"pre_seq_len": 128}, "pre_seq_len=128"),
        ({"apply_residual_connection_post_layernorm": True}, "apply_residual_connection_post_layernorm"),
    ],
)
def test_what_no_glm_of_transformers_is_built_like_is_refused(tiny, tmp_path, changed, sentence):
    with pytest.raises(UsageError, match=sentence):
        convert(written(tmp_path / "old", tiny, **changed), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_weight_that_is_missing_is_counted_and_loading_names_the_converter(tiny, tmp_path):
    with pytest.raises(UsageError, match="ChatGLM") as error:
        load(str(written(tmp_path / "old", tiny)), torch.float32)
    assert "run-bench weights convert" in error.value.hint
    del tiny.transformer.encoder.layers[1]
    with pytest.raises(DataError, match="holds 14 weights after splitting, 25 were expected"):
        convert(written(tmp_path / "old", tiny), tmp_path / "new")


def test_a_text_begins_with_the_two_tokens_of_glm(tiny, tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")
    folder = written(tmp_path / "old", tiny)
    text = tmp_path / "text.txt"
    text.write_text(
        "the data set holds many sentences\n糖尿病的症状是什么\nwe train it for ten epochs\n" * 20
    )
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "tokenizer"), vocab_size=330, model_type="bpe",
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2,
    )  # fmt: skip
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "ChatGLMTokenizer", "auto_map": {"AutoTokenizer": ["x.X", None]}})
    )
    convert(folder, tmp_path / "new")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "new")
    assert tokenizer.convert_tokens_to_ids(["[MASK]", "[gMASK]", "sop"]) == [330, 331, 333]
    assert tokenizer.convert_tokens_to_ids("<|user|>") == 336
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    assert tokenizer("ten 什么")["input_ids"] == [331, 333, *pieces.encode("ten 什么")]
    coder = CausalCoder(tokenizer, template=template_for("chatglm2", tokenizer))
    ids = coder.request(Request("1", "什么"))["input_ids"]
    assert ids[:2] == [331, 333] and ids.count(331) == 1
    assert coder.text(ids) == "问：什么\n\n答："


def test_a_tokenizer_of_another_kind_is_said_in_a_sentence(tiny, tmp_path):
    pytest.importorskip("sentencepiece")
    folder = written(tmp_path / "old", tiny)
    (folder / "tokenizer.model").write_bytes(b"aGVsbG8= 0\n")  # as GLM-4's, which is tiktoken's
    with pytest.raises(DataError, match="is no SentencePiece model"):
        convert(folder, tmp_path / "new")
    assert not (tmp_path / "new").exists()
