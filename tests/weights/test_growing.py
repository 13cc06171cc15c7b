"""A vocabulary that has grown by the words of a text: reachable, read back, and learned with an adapter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, LlamaTokenizer

from harness.cli.main import main
from harness.language_models.fresh import learn_tokenizer
from harness.weights import growing

ENGLISH = ["the market of two lakes holds salt", "we measured nitrate in the lakes of the valley"] * 20
CHINESE = ["糖尿病的症状是什么", "高血压和糖尿病的治疗", "阴道炎的症状和治疗"] * 20


def written(folder: Path, tokenizer: Any, *, tied: bool) -> Path:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, tie_word_embeddings=tied,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(params=["sentencepiece", "bytes"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a small model that knows English, by SentencePiece or by bytes."""
    if request.param == "bytes":
        return written(tmp_path / "base", learn_tokenizer(ENGLISH, 400), tied=True)
    sentencepiece = pytest.importorskip("sentencepiece")
    (tmp_path / "pieces").mkdir()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(ENGLISH), model_prefix=str(tmp_path / "pieces" / "tokenizer"), vocab_size=330,
        model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, minloglevel=2,
    )  # fmt: skip
    return written(
        tmp_path / "base", LlamaTokenizer.from_pretrained(tmp_path / "pieces", legacy=False), tied=False
    )


def base_kind(base: Path) -> str:
    """Return how the tokenizer of a model parts texts."""
    return "bytes" if AutoTokenizer.from_pretrained(base).tokenize("é") == ["Ã", "©"] else "pieces"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "field.txt"
    file.write_text("\n".join(CHINESE), encoding="utf-8")
    return file


def test_the_words_of_the_text_take_fewer_tokens_and_everything_else_the_same(base, text, tmp_path, capsys):
    grown = tmp_path / "grown"
    assert main(["weights", "grow", str(base), str(grown), "--text", str(text), "--pieces", "320"]) == 0
    assert "new tokens" in capsys.readouterr().out
    old, new = AutoTokenizer.from_pretrained(base), AutoTokenizer.from_pretrained(grown)
    for line in (*CHINESE[:3], ENGLISH[0], "two lakes, 糖尿病\tand  ünï"):
        ids, before = (t(line, add_special_tokens=False)["input_ids"] for t in (new, old))
        assert new.decode(ids) == old.decode(before)
        assert ids == before if line == ENGLISH[0] else len(ids) < len(before)
    model, was = (AutoModelForCausalLM.from_pretrained(folder) for folder in (grown, base))
    rows, old_rows = (m.get_input_embeddings().weight for m in (model, was))
    assert len(rows) == len(new) and torch.equal(rows[: len(old)], old_rows)
    first = new.convert_ids_to_tokens(len(old))
    spelt = growing.Spelling(old)._ids(first)
    assert torch.allclose(rows[len(old)], old_rows[spelt].mean(0), atol=1e-6)
    assert not list(tmp_path.glob(".*pieces.json"))


def test_the_new_rows_are_learned_and_saved_with_an_adapter(base, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["weights", "grow", str(base), "grown", "--text", str(text), "--pieces", "320"]) == 0
    rows = [{"question": line, "answer": line[:4]} for line in CHINESE]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ("train.method=lora", "train.max_steps=2", "train.learning_rate=0.01", "train.batch_size=4")
    flags = [part for text in settings for part in ("--set", text)]
    command = ["train", "--model", "hf", "--checkpoint", "grown", "--task", "conversations"]
    assert main([*command, "--data", "train.jsonl", "--preset", "lora", *flags, "--quiet"]) == 0, (
        capsys.readouterr().err
    )
    (adapter,) = tmp_path.glob("runs/trained/hf/*/checkpoint")
    assert main(["weights", "merge", str(adapter), "merged"]) == 0
    grown, merged = (AutoModelForCausalLM.from_pretrained(tmp_path / name) for name in ("grown", "merged"))
    before, after = (model.get_input_embeddings().weight for model in (grown, merged))
    first = len(AutoTokenizer.from_pretrained(base))
    assert torch.equal(before[:first], after[:first])
    assert not torch.equal(before[first:], after[first:])
    assert len(AutoTokenizer.from_pretrained(tmp_path / "merged")) == len(before)


def test_chinese_words_become_tokens_of_their_own(base, text, tmp_path, capsys):
    pytest.importorskip("jieba")
    arguments = ["weights", "grow", str(base), str(tmp_path / "grown"), "--text", str(text)]
    by_character = "bytes" in base_kind(base)
    assert main([*arguments, "--pieces", "0", "--words", "3"]) == (2 if by_character else 0)
    if by_character:  # it parts texts between any two Chinese characters
        assert "none would be met whole" in capsys.readouterr().err
        return
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "grown")
    assert tokenizer.tokenize("糖尿病") == ["▁", "糖尿病"]


def test_what_is_learned_is_kept_for_the_next_attempt(base, text, tmp_path, monkeypatch):
    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(growing, "_begin_rows", fails)
    with pytest.raises(KeyboardInterrupt):
        growing.grow(str(base), tmp_path / "grown", text, pieces=320, words=0)
    assert not (tmp_path / "grown").exists()
    monkeypatch.undo()
    monkeypatch.setattr(growing, "learn_pieces", fails)
    assert growing.grow(str(base), tmp_path / "grown", text, pieces=320, words=0).new > 0


def test_what_cannot_grow_says_why(base, text, tmp_path, capsys):
    arguments = ["weights", "grow", str(base), str(tmp_path / "grown"), "--text"]
    assert main([*arguments, str(text), "--pieces", "20"]) == 2
    assert "its characters alone are" in capsys.readouterr().err
    assert main([*arguments, str(tmp_path / "none.txt")]) == 4
    assert main([*arguments, str(text), "--pieces", "0"]) == 2
    assert "nothing to grow by" in capsys.readouterr().err
