"""Weights are asked with the template that they were trained with, or somebody has said otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import (
    Checkpoint,
    Document,
    GenerateSpec,
    ModelPlugin,
    Request,
    RunContext,
    RunSpec,
    TrainData,
    TrainPair,
    TrainSpec,
    UsageError,
)
from harness.plugins.hf.model import HuggingFace, HuggingFaceOptions
from harness.training import harness_stages

ROWS = TrainData([TrainPair("2 + 2?", "4")] * 4)
SPEC = TrainSpec(max_steps=1, batch_size=2, max_length=512, precision="fp32")


@pytest.fixture
def run(tmp_path: Path) -> RunContext:
    (tmp_path / "run").mkdir()
    return RunContext(
        tmp_path / "run", RunSpec("hf", "t", device="cpu", generate=GenerateSpec(max_new_tokens=1))
    )


@pytest.fixture
def model(tiny_llama: Path) -> Callable[..., ModelPlugin]:
    return lambda **options: HuggingFace(HuggingFaceOptions(weights=str(tiny_llama), **options))


def opened(model: ModelPlugin, trained: Checkpoint, run: RunContext) -> None:
    with model.open(trained, run) as session:
        list(session.generate([Request("1", "2 + 2?")], run.spec.generate, run))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_another_template_is_refused_with_the_one_that_is_meant(model, run, method):
    trained = model(template="vicuna").train(ROWS, replace(SPEC, method=method), run)
    opened(model(template="vicuna"), trained, run)
    with pytest.raises(
        UsageError, match="was trained with the chat template 'vicuna', not 'none'"
    ) as refused:
        opened(model(template="none"), trained, run)
    assert refused.value.hint.startswith("--set model.template=vicuna, or let a run ask all the same")
    opened(model(template="none"), trained, replace(run, other_prompt=True))


def test_a_template_that_lays_out_otherwise_than_it_did_is_refused_too(model, run):
    trained = model(template="vicuna").train(ROWS, SPEC, run)
    with pytest.raises(UsageError, match="'vicuna' as it was then; it lays out otherwise now"):
        opened(model(template="vicuna", tools="qwen"), trained, run)


def test_a_corpus_is_laid_out_by_no_template_and_weights_of_others_by_an_unknown_one(
    model, run, tiny_llama: Path
) -> None:
    corpus = TrainData([Document("a text of a corpus")] * 4)
    (entry,) = [entry for entry in harness_stages() if entry.name == "pretrain"]
    pretrain = replace(run, stage=entry)
    trained: Any = model(template="vicuna").train(corpus, replace(SPEC, stage="pretrain"), pretrain)
    opened(model(template="none"), trained, run)
    opened(model(template="alpaca"), Checkpoint(tiny_llama), run)


def test_the_next_stage_may_lay_out_otherwise_and_is_asked_as_it_was_trained(model, run):
    first = model(template="vicuna").train(ROWS, SPEC, run)
    later = replace(run, directory=run.directory / "later")
    later.directory.mkdir()
    second = model(template="alpaca").train(ROWS, replace(SPEC, base=str(first.path)), later)
    opened(model(template="alpaca"), second, run)
    with pytest.raises(UsageError, match="'alpaca', not 'vicuna'"):
        opened(model(template="vicuna"), second, run)
