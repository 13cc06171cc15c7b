"""Adapters train, continue, stack and merge, and fit their own base only."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from harness import DataError, RunContext, StageError, TrainData, TrainSpec, UsageError, training

from .conftest import encode_causal, llama, pairs
from .test_fit import SPEC, losses

LORA = replace(SPEC, method="lora", lora_r=4, lora_targets=("q_proj", "v_proj"), learning_rate=2e-2)
MakeRun = Callable[..., RunContext]


def adapt(run: RunContext, spec: TrainSpec = LORA, model: torch.nn.Module | None = None) -> Path:
    model = training.prepare_model(model or llama(), spec)
    checkpoint = training.fit(model, TrainData(pairs(64)), encode_causal, spec, run)
    assert checkpoint.format == "adapter"
    return checkpoint.path


def after(path: Path, **changes: Any) -> TrainSpec:
    """Return the spec of a stage that starts from what an earlier one left."""
    return replace(LORA, base=str(path), **changes)


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


def test_making_and_loading_an_adapter_says_nothing_of_names_that_will_go(make_run: MakeRun) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        training.load_adapter(llama(), adapt(make_run()))


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
    adapt(second, after(path, lora_continue=True))
    assert losses(second)[0] < losses(first)[0] - 0.1
    assert losses(second)[-1] < losses(first)[-1]


def test_a_stage_after_an_adapter_learns_a_new_one_on_the_merged_weights(make_run: MakeRun) -> None:
    """The chain travels in one folder: earlier stages' folders may go."""
    pretrained = adapt(make_run("pretrained"))
    first = logits(training.load_adapter(llama(), pretrained))
    model = training.prepare_model(llama(), after(pretrained))
    assert torch.allclose(logits(model), first, atol=1e-6)  # a new adapter begins without effect
    tuned = training.fit(model, TrainData(pairs(64)), encode_causal, after(pretrained), make_run("tuned"))
    shutil.rmtree(pretrained)
    assert tuned.base == training.base_of(str(tuned.path)) == ""
    assert torch.allclose(logits(training.load_adapter(llama(), tuned.path)), logits(model), atol=1e-6)
    third = training.prepare_model(llama(), after(tuned.path))
    last = training.fit(third, TrainData(pairs(64)), encode_causal, after(tuned.path), make_run("third"))
    shutil.rmtree(tuned.path)
    assert torch.allclose(logits(training.load_adapter(llama(), last.path)), logits(third), atol=1e-6)


def test_a_stacked_adapter_is_continued_on_what_it_was_trained_on(make_run: MakeRun) -> None:
    tuned = adapt(make_run("tuned"), after(adapt(make_run("pretrained"))))
    spec = after(tuned, lora_continue=True)
    model = training.prepare_model(llama(), spec)
    assert torch.allclose(logits(model), logits(training.load_adapter(llama(), tuned)), atol=1e-6)
    more = training.fit(model, TrainData(pairs(64)), encode_causal, spec, make_run("more")).path
    assert torch.allclose(logits(training.load_adapter(llama(), more)), logits(model), atol=1e-6)


def test_a_whole_model_is_trained_after_an_adapter(make_run: MakeRun) -> None:
    spec = replace(SPEC, base=str(adapt(make_run("adapter"))))
    model = training.prepare_model(llama(), spec)
    assert all(weight.requires_grad for weight in model.parameters())
    whole = training.fit(model, TrainData(pairs(64)), encode_causal, spec, make_run("whole"))
    assert whole.format == "full"
    assert torch.allclose(logits(LlamaForCausalLM.from_pretrained(whole.path)), logits(model), atol=1e-6)


def test_an_adapter_knows_the_weights_it_was_trained_on(make_run: MakeRun, tmp_path: Path) -> None:
    llama().save_pretrained(tmp_path / "whole")
    pretrained = adapt(make_run("pretrained"), after(tmp_path / "whole"))
    tuned = adapt(make_run("tuned"), after(pretrained))
    for folder in (pretrained, tuned, tmp_path / "whole"):
        assert training.base_of(str(folder)) == str(tmp_path / "whole")
    assert training.base_of("") == ""
    shutil.copytree(tmp_path, tmp_path / "moved")
    assert training.base_of(str(tmp_path / "moved" / tuned.relative_to(tmp_path))) == str(
        tmp_path / "moved" / "whole"
    )


@pytest.mark.parametrize("changes", [{"lora_r": 2}, {"lora_alpha": 3}, {"lora_targets": ("o_proj",)}])
def test_settings_that_a_continued_adapter_cannot_take_are_refused(
    make_run: MakeRun, changes: dict[str, Any]
) -> None:
    spec = replace(after(adapt(make_run()), lora_continue=True), **changes)
    with pytest.raises(UsageError, match=f"train.{next(iter(changes))} is .* the adapter that is continued"):
        training.prepare_model(llama(), spec)


def test_whole_weights_are_no_adapter_to_continue(tmp_path: Path) -> None:
    llama().save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="holds no adapter to continue"):
        training.prepare_model(llama(), after(tmp_path, lora_continue=True))
    begun = training.prepare_model(llama(), replace(LORA, lora_continue=True))  # the first stage of a chain
    assert hasattr(begun, "peft_config")


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


def test_evaluating_on_four_bit_weights_does_not_change_the_training(
    make_run: MakeRun, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    spec = replace(LORA, method="qlora")
    llama(hidden_size=64).save_pretrained(tmp_path / "base")
    curves = []
    for name, every in (("plain", None), ("watched", 3)):
        model = LlamaForCausalLM.from_pretrained(
            tmp_path / "base", quantization_config=training.quantization(spec), dtype=torch.float32
        )
        run = make_run(name)
        data = TrainData(pairs(64), validation=pairs(5, seed=2))
        watched = replace(spec, eval_every=every)
        training.fit(training.prepare_model(model, watched), data, encode_causal, watched, run)
        curves.append(losses(run))
    assert curves[0] == curves[1]


def test_a_stage_after_an_adapter_quantises_the_merged_weights(make_run: MakeRun) -> None:
    pytest.importorskip("bitsandbytes")
    pretrained = adapt(make_run("pretrained"), model=llama(hidden_size=64))
    spec = after(pretrained, method="qlora")
    assert training.quantization(spec) is None  # four-bit weights could be merged into by rounding only
    model = training.prepare_model(llama(hidden_size=64), spec)
    assert model.is_loaded_in_4bit
    merged = logits(training.load_adapter(llama(hidden_size=64), pretrained))
    assert (logits(model) - merged).norm() < 0.2 * merged.norm()
    tuned = training.fit(model, TrainData(pairs(64)), encode_causal, spec, make_run("tuned")).path
    loaded = logits(training.load_adapter(llama(hidden_size=64), tuned))
    assert (loaded - logits(model)).norm() < 0.2 * loaded.norm()
