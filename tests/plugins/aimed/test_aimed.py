"""AiMed learns in stages from nothing, each going on from the one before, and is asked in both languages."""

from __future__ import annotations

import json

import pytest
import torch

from harness import UsageError
from harness.plugins.aimed.model import AiMed, AiMedOptions

SHORT = [
    *("--preset", "tiny-full", "--set", "data.train_limit=40", "--set", "data.limit=8"),
    *("--set", "stage.pretrain.max_steps=3", "--set", "stage.sft.max_steps=3"),
    *("--set", "stage.reward.max_steps=2", "--set", "stage.ppo.max_steps=2"),
    *("--set", "stage.dpo.max_steps=2"),
    *("--set", "model.hidden=32", "--set", "model.intermediate=64", "--set", "model.layers=1"),
    *("--set", "model.heads=2", "--set", "model.pieces=320", "--set", "compare_with=[]", "--quiet"),
]


def test_the_chain_runs_stage_by_stage_and_answers_at_its_end(run_bench, tmp_path):
    done = run_bench("--model", "aimed", "--task", "medical_qa/choice", *SHORT, "--json")
    assert done.code == 0, done.err
    (run,) = json.loads(done.out)["runs"]
    assert run["scores"]["parse-rate"]["value"] == 1
    (record,) = tmp_path.glob("runs/medical_qa/choice/**/record.json")
    training = json.loads(record.read_text(encoding="utf-8"))["training"]
    assert [stage["stage"] for stage in training] == ["pretrain", "sft", "reward", "ppo", "dpo"]


def test_published_presets_say_what_they_start_from(run_bench):
    alpaca = "hfl/chinese-alpaca-2-7b"
    for preset, weights in (
        *((preset, alpaca) for preset in ("7b", "7b-ppo", "7b-orpo", "7b-grpo")),
        ("13b", "hfl/chinese-alpaca-2-13b"),
    ):
        shown = run_bench(
            "show-config", "--model", "aimed", "--task", "medical_qa/choice", "--preset", preset
        )
        assert shown.code == 0, shown.err
        assert weights in shown.out


def test_another_tokenizer_is_taken_and_made_room_for(tiny_llama, chat_tokenizer, tmp_path):
    chat_tokenizer().save_pretrained(tmp_path)
    options = {"weights": str(tiny_llama), "tokenizer": str(tmp_path)}
    with pytest.raises(UsageError, match="model rows for") as refused:
        AiMed(AiMedOptions(**options)).load(str(tiny_llama), torch.float32)
    assert "model.resize=true" in refused.value.hint
    model, tokenizer = AiMed(AiMedOptions(**options, resize=True)).load(str(tiny_llama), torch.float32)
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)
