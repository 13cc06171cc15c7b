"""Mistakes of the pipeline that AiMed follows, each shown to be absent."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import (
    Conversation,
    DataSpec,
    Document,
    Message,
    RunContext,
    RunSpec,
    TrainData,
    TrainSpec,
    UsageError,
    training,
)
from harness.engine.data import open_task
from harness.engine.plugin_manager import load_plugins
from harness.engine.registry import Registry
from harness.language_models import CausalCoder, load, template_for, text_of
from harness.language_models.blocks import Blocks
from harness.language_models.fresh import learn_tokenizer
from harness.language_models.published_templates import PUBLISHED
from harness.plugins.aimed.model import AiMedOptions
from harness.training.batching import Shape, encode_rows
from harness.training.optimizers import build
from harness.training.settings import FitOptions
from harness.training.stages import entries
from harness.training.stages.policy import Policy
from harness.training.stages.ppo import Ppo

STAGES = {entry.name: entry for entry in entries()}
QUESTION = "What burns with a blue flame?"


@pytest.fixture
def loaded(tiny_llama: Path) -> Any:
    return load(str(tiny_llama), torch.float32)


def test_what_ppo_asks_are_whole_questions_and_not_their_characters(tmp_path):
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps({"question": QUESTION, "answer": "Ethanol."}) + "\n")
    registry = Registry(load_plugins((), entry_points=False))
    data = open_task(registry, registry.tasks.get("conversations"), DataSpec(str(file)), model="")
    (row,) = data.prompts("train", None)
    assert row.request.prompt == QUESTION


def test_ppo_is_ppo_with_a_value_head_and_rloo_another_stage():
    assert STAGES["ppo"].target.endswith("ppo:Ppo") and STAGES["rloo"].target.endswith("groups:Rloo")
    assert Ppo.prepare is not Policy.prepare  # it puts a head on the model
    assert Ppo.Options().samples == 1  # RLOO could do nothing with one answer


def test_perplexity_is_that_of_learned_tokens_whatever_their_characters(loaded, tmp_path):
    model, tokenizer = loaded
    coder = CausalCoder(tokenizer)
    row = Document("糖尿病的症状是什么？")
    run = RunContext(tmp_path, RunSpec("tiny", "ppl", device="cpu"))
    spec = TrainSpec(stage="pretrain", max_steps=1, eval_every=1, learning_rate=1e-9, packing="none")
    ids = torch.tensor([coder.row(row)["input_ids"]])
    with torch.inference_mode():
        logs = model.eval()(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])
    training.fit(model, TrainData([row], [row]), coder.row, spec, run, pad=coder.pad)
    lines = (tmp_path / "train_log.jsonl").read_text(encoding="utf-8").splitlines()
    told, _ = [json.loads(line)["validation"] for line in lines if "validation" in line]
    assert told["perplexity"] == pytest.approx(math.exp(-float(logs.mean())), rel=1e-4)


def test_a_reward_model_is_measured_by_what_it_prefers_and_not_by_distances():
    assert STAGES["reward"].facts == ("accuracy", "margin") == STAGES["dpo"].facts


def test_a_row_is_too_long_in_tokens_and_not_in_characters():
    sentence = "ethanol burns with a blue flame"
    coder = CausalCoder(learn_tokenizer([sentence] * 20, 400))
    row = Conversation((Message("user", sentence), Message("assistant", sentence)))
    spec = TrainSpec(max_length=2 * len(sentence) // 3)
    encoded, left = encode_rows([(0, row)], coder.row, spec, Shape(True))
    assert len(encoded) == 1 and left.too_long == 0
    short = TrainSpec(max_length=int(encoded.lengths[0]) - 1)
    assert encode_rows([(0, row)], coder.row, short, Shape(True))[1].too_long == 1


def test_weight_decay_reaches_every_stage(loaded):
    model, _ = loaded
    for stage in STAGES:
        groups = build(model, TrainSpec(stage=stage, weight_decay=0.05), FitOptions()).groups
        assert {group["weight_decay"] for group in groups} == {0.0, 0.05}


@pytest.mark.parametrize(("ends", "expected"), [(True, 8), (False, 6)])
def test_documents_are_joined_with_their_ends_or_without_as_was_asked(loaded, ends, expected):
    _, tokenizer = loaded
    rows = [Document("abc"), Document("def")]
    joined = [token for row in blocks(rows, tokenizer, 2, ends=ends) for token in row.tokens]
    assert joined.count(tokenizer.eos_token_id) == (2 if ends else 0)
    assert len(joined) == expected
    assert [len(row.tokens) for row in blocks(rows, tokenizer, 5, ends=False)] == [5]  # the rest is dropped


def blocks(rows: list[Document], tokenizer: Any, length: int, *, ends: bool) -> list[Document]:
    return [row for row in Blocks(rows, tokenizer, length, ends=ends) if isinstance(row, Document)]


def test_every_template_shows_the_question_once_and_ends(chat_tokenizer):
    for name in PUBLISHED:
        template = template_for(name, chat_tokenizer())
        turns = [Message("user", "One?"), Message("assistant", "1."), Message("user", QUESTION)]
        text = text_of(template, turns)
        assert text.count(QUESTION) == 1 and text.count("One?") == 1
        assert template.stop or "1.</s>" in text


def test_a_chat_model_is_never_given_a_template_that_nobody_named():
    assert AiMedOptions().template == "none"
    with pytest.raises(UsageError, match="no template named"):
        template_for("vicunna", None)
