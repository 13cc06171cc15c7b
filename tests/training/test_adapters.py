"""Adapters train, continue, stack and merge, and fit their own base only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from harness import DataError, RunContext, StageError, TrainData, TrainSpec, UsageError, training

from .conftest import encode_causal, llama, pairs
from .test_fit import SPEC, losses

LORA = replace(SPEC, method="lora", lora_r=4, lora_targets=("q_proj", "v_proj"), learning_rate=2e-2)
MakeRun = Callable[..., RunContext]


def adapt(run: RunContext, spec: TrainSpec = LORA, **named: object) -> Path:
    model = training.prepare_model(named.pop("model", None) or llama(), spec, **named)  # type: ignore[arg-type]
    checkpoint = training.fit(model, TrainData(pairs(64)), encode_causal, spec, run)
    assert checkpoint.format == "adapter"
    return checkpoint.path


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=torch.tensor([[1, 7, 8, 9, 10]])).logits


def test_an_adapter_learns_beside_a_frozen_base_and_loads_on_it(make_run: MakeRun) -> None:
    run = make_run()
    path = adapt(run)
    assert losses(run)[-1] < losses(run)[0]
    assert (path / "adapter_model.safetensors").stat().st_size < 20_000
    adapted = training.load_adapter(llama(), path)
    assert not torch.allclose(logits(adapted), logits(llama()))


def test_another_base_is_refused(make_run: MakeRun) -> None:
    path = adapt(make_run())
    other = llama()
    with torch.no_grad():
        other.model.layers[1].mlp.up_proj.weight.add_(0.5)
    with pytest.raises(UsageError, match="was trained on another base"):
        training.load_adapter(other, path)


def test_the_base_in_another_number_format_is_still_the_base(make_run: MakeRun) -> None:
    path = adapt(make_run())
    training.load_adapter(llama().to(torch.bfloat16), path)


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no adapter"):
        training.load_adapter(llama(), tmp_path)


def test_a_continued_adapter_starts_where_it_ended(make_run: MakeRun) -> None:
    first, second = make_run("first"), make_run("second")
    path = adapt(first)
    adapt(second, adapter=path)
    assert losses(second)[0] < losses(first)[0] - 0.1
    assert losses(second)[-1] < losses(first)[-1]


def test_an_adapter_on_a_merged_one_needs_the_merged_base(make_run: MakeRun, tmp_path: Path) -> None:
    """Loaded on the original base it would be another model without a word."""
    pretrained = adapt(make_run("pretrained"))
    tuned = adapt(make_run("tuned"), model=training.merge(llama(), [pretrained]))
    stacked = training.merge(llama(), [pretrained, tuned])
    training.export(stacked, tmp_path / "whole")
    again = LlamaForCausalLM.from_pretrained(tmp_path / "whole")
    assert torch.allclose(logits(again), logits(stacked), atol=1e-6)
    with pytest.raises(UsageError, match="was trained on another base"):
        training.load_adapter(llama(), tuned)


@pytest.mark.parametrize("tied", [True, False])
def test_new_tokens_are_learned_and_travel_with_the_adapter(make_run: MakeRun, tied: bool) -> None:
    model = llama(tie_word_embeddings=tied)
    new = training.grow_embeddings(model, 52)
    before = model.get_input_embeddings().weight.detach().clone()

    def with_new_token(row: object) -> dict[str, list[int]]:
        encoded = dict(encode_causal(row))  # type: ignore[arg-type]
        return {"input_ids": [50, *encoded["input_ids"]], "labels": [-100, *encoded["labels"][:-1], 51]}

    adapted = training.prepare_model(model, LORA, new_tokens=new)
    checkpoint = training.fit(adapted, TrainData(pairs(64)), with_new_token, LORA, make_run())
    loaded = training.load_adapter(llama(tie_word_embeddings=tied), checkpoint.path)
    assert torch.allclose(logits(loaded), logits(adapted), atol=1e-5)
    rows = loaded.merge_and_unload().get_input_embeddings().weight.detach()  # type: ignore[operator]
    assert torch.equal(rows[:48], before[:48]) and not torch.allclose(rows[50], before[50])


def test_an_unknown_layer_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="has no layer 'W_pack' to adapt") as refused:
        training.prepare_model(llama(), replace(LORA, lora_targets=("W_pack",)))
    assert "q_proj" in refused.value.hint


def test_four_bit_weights_are_asserted() -> None:
    with pytest.raises(StageError, match="not loaded in 4 bit"):
        training.prepare_model(llama(), replace(LORA, method="qlora"))


def test_an_adapter_learns_on_four_bit_weights(make_run: MakeRun, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    spec = replace(LORA, method="qlora", lora_targets=())
    llama(hidden_size=64).save_pretrained(tmp_path / "base")
    base = LlamaForCausalLM.from_pretrained(
        tmp_path / "base", quantization_config=training.quantization(spec), dtype=torch.float32
    )
    assert base.config.quantization_config.bnb_4bit_use_double_quant
    run = make_run()
    adapt(run, spec, model=base)
    assert losses(run)[-1] < losses(run)[0]
