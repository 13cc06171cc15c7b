"""The plugin: trained, saved, asked, adapted, and started from LLaMA weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from harness import (
    Checkpoint,
    DataError,
    Document,
    GenerateSpec,
    Request,
    RunContext,
    RunSpec,
    SilentProgress,
    TrainData,
    TrainPair,
    TrainSpec,
    UsageError,
)
from harness.plugins.scimind.model import SciMind, SciMindOptions
from harness.plugins.scimind.records import RowEncoder
from harness.plugins.scimind.tokenizer import SciMindTokenizer

SMILES = ["CCO", "CCN", "CC=O", "CC#N", "CCCC", "CC(C)O", "c1ccccc1", "C1CCCC1", "CCCl", "CCBr"]
NAMES = ["alcohol", "amine", "aldehyde", "nitrile", "alkane", "alcohol", "arene", "ring", "halide", "halide"]
PAIRS = [
    pair
    for smiles, name in zip(SMILES, NAMES, strict=True)
    for pair in (
        TrainPair(f"SMILES: {smiles}\nName:", f"This is an {name}.", {"smiles": smiles}),
        TrainPair(f"Name: {name} {len(smiles)}\nSMILES:", smiles, {"name": name}),
    )
]
OPTIONS = SciMindOptions(
    hidden=32,
    intermediate=64,
    layers=2,
    heads=2,
    experts=4,
    text_experts=3,
    molecule_experts=2,
    pieces=100,
)
SPEC = TrainSpec(
    max_steps=8, optimizer="muon", learning_rate=4e-3, batch_size=8, max_length=128, precision="fp32"
)
ASK = GenerateSpec(max_new_tokens=12)


def context(tmp_path: Path) -> RunContext:
    return RunContext(directory=tmp_path, spec=RunSpec("scimind", "t", generate=ASK, device="cpu"))


def requests() -> list[Request]:
    return [Request(str(i), pair.prompt, pair.inputs) for i, pair in enumerate(PAIRS[:4])]


def trained(tmp_path: Path, options: SciMindOptions = OPTIONS, spec: TrainSpec = SPEC) -> Checkpoint:
    tmp_path.mkdir(exist_ok=True)
    return SciMind(options).train(TrainData(PAIRS, PAIRS[:4]), spec, context(tmp_path))


@pytest.mark.parametrize("routing", ["as_described", "routed"])
def test_it_learns_saves_and_answers(tmp_path: Path, routing: str, ask_all) -> None:
    options = replace(OPTIONS, routing=routing)
    spec = replace(SPEC, max_steps=60, learning_rate=1e-2)
    checkpoint = trained(tmp_path, options, spec)
    answers = {
        completion.request_id: completion.text
        for completion in ask_all(SciMind(options), checkpoint, requests(), ASK, context(tmp_path))
    }
    assert len(answers) == 4
    assert answers["0"].strip().startswith("This is an")
    assert "{|" not in "".join(answers.values())
    assert set(answers["1"].strip()) <= set("".join(SMILES))


def test_the_checkpoint_is_a_plain_transformers_folder(tmp_path: Path) -> None:
    checkpoint = trained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(checkpoint.path)
    assert model.config.experts_per_token["molecule"] == 2
    assert model.config.modality_ranges["protein"][1] == model.config.vocab_size


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(tmp_path: Path) -> None:
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        checkpoint = trained(tmp_path / name, spec=replace(SPEC, seed=seed))
        weights.append(AutoModelForCausalLM.from_pretrained(checkpoint.path).lm_head.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_choices_are_scored(tmp_path: Path, chosen) -> None:
    checkpoint = trained(tmp_path)
    request = Request("q", PAIRS[0].prompt, PAIRS[0].inputs, ("This is an alcohol.", "This is an arene."))
    [completion] = chosen(SciMind(OPTIONS), checkpoint, [request], ASK, context(tmp_path))
    assert len(completion.choice_scores) == 2
    assert completion.text in request.choices


@pytest.mark.parametrize("inst", [False, True])
def test_a_choice_is_read_as_an_answer_is_learned(tmp_path: Path, inst: bool, chosen) -> None:
    """Prompt and answer are tokenised apart in training, and so they must be when choices are scored."""
    options = replace(OPTIONS, inst=inst)
    checkpoint = trained(tmp_path, options)
    pair = PAIRS[0]
    request = Request("q", pair.prompt, pair.inputs, (pair.target, "This is an arene."))
    [completion] = chosen(SciMind(options), checkpoint, [request], ASK, context(tmp_path))
    tokenizer = SciMindTokenizer.from_pretrained(checkpoint.path)
    row = RowEncoder(tokenizer, inst=inst).row(pair)
    ids = torch.tensor([row["input_ids"]])
    with torch.no_grad():
        logs = AutoModelForCausalLM.from_pretrained(checkpoint.path)(input_ids=ids).logits.log_softmax(-1)
    answer = [place for place, label in enumerate(row["labels"]) if label != -100][:-1]  # not the end of text
    expected = sum(float(logs[0, place - 1, ids[0, place]]) for place in answer)
    assert completion.choice_scores[0] == pytest.approx(expected, abs=1e-3)


def test_prompt_tokens_are_what_generation_reads_with_one_begin_of_sequence(tmp_path: Path, ask_all) -> None:
    request = requests()[0]
    tokens = SciMind(OPTIONS).open(trained(tmp_path), context(tmp_path)).prompt_tokens(request)
    assert tokens.bos == 1
    assert tokens.pieces[0] == "<s>"
    assert len(tokens.ids) == len(tokens.pieces)
    (completion,) = ask_all(
        SciMind(OPTIONS),
        Checkpoint(tmp_path / "checkpoint"),
        [request],
        GenerateSpec(max_new_tokens=4),
        context(tmp_path),
    )
    assert completion.prompt_tokens == len(tokens.ids)


def test_pretraining_takes_documents(tmp_path: Path) -> None:
    data = TrainData([Document("The molecule CC=CC is an alkene. " * 3)] * 16)
    spec = replace(SPEC, stage="pretrain", max_length=32)
    checkpoint = SciMind(OPTIONS).train(data, spec, context(tmp_path))
    assert (checkpoint.path / "model.safetensors").exists()


def test_with_the_quirks_the_prompt_counts_towards_the_maximum(tmp_path: Path, ask_all) -> None:
    options = replace(OPTIONS, release_quirks=True)
    checkpoint = trained(tmp_path, options)
    spec = GenerateSpec(max_new_tokens=30, min_new_tokens=1)
    found = list(ask_all(SciMind(options), checkpoint, requests(), spec, context(tmp_path)))
    assert len(found) == 4
    assert all(c.prompt_tokens + c.new_tokens <= max(30, c.prompt_tokens + 1) for c in found)


def test_without_training_or_weights_the_answer_is_a_hint(tmp_path: Path, ask_all) -> None:
    with pytest.raises(UsageError, match="no weights before training"):
        ask_all(SciMind(OPTIONS), None, requests(), ASK, context(tmp_path))


def test_unknown_routing_and_unequal_experts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no routing 'magic'"):
        trained(tmp_path, replace(OPTIONS, routing="magic"))
    with pytest.raises(UsageError, match="do not split into 5"):
        trained(tmp_path, replace(OPTIONS, experts=5))


@pytest.mark.parametrize("routing", ["as_described", "as_released", "routed"])
def test_llama_weights_are_taken_over_with_rows_for_new_tokens(
    llama: Path, tmp_path: Path, routing: str, ask_all
) -> None:
    options = SciMindOptions(weights=str(llama), routing=routing, experts=4, text_experts=3, inst=True)
    checkpoint = trained(tmp_path / "run", options, replace(SPEC, max_steps=2))
    model = AutoModelForCausalLM.from_pretrained(checkpoint.path)
    assert model.config.vocab_size == 259 + 98
    assert model.config.routing == routing
    found = list(ask_all(SciMind(options), checkpoint, requests(), ASK, context(tmp_path)))
    assert len(found) == 4


class Stopping(SilentProgress):
    """Ends a training at its fifth step, as a person at the keyboard does."""

    def start(self, label: str, total: int | None = None, unit: str = "steps", done: int = 0) -> None:
        self.left = 5 if label == "training" else 1000

    def advance(self, amount: int = 1, **facts: Any) -> None:
        self.left -= amount
        if self.left == 0:
            raise KeyboardInterrupt


def test_a_resumed_training_with_fitted_routers_ends_in_the_same_bytes(llama: Path, tmp_path: Path) -> None:
    options = SciMindOptions(weights=str(llama), routing="routed", experts=4, text_experts=2)
    spec = replace(SPEC, save_every=2)
    with pytest.raises(KeyboardInterrupt):
        stopped = replace(context(tmp_path / "stopped"), progress=Stopping())
        SciMind(options).train(TrainData(PAIRS), spec, stopped)
    whole = trained(tmp_path / "whole", options, spec)
    resumed = trained(tmp_path / "stopped", options, spec)
    bytes_of = [(checkpoint.path / "model.safetensors").read_bytes() for checkpoint in (whole, resumed)]
    assert bytes_of[0] == bytes_of[1]


def test_routers_are_fitted_to_the_rows_that_are_to_be_learned(llama: Path, tmp_path: Path) -> None:
    options = SciMindOptions(weights=str(llama), routing="routed", experts=4, text_experts=2)
    spec = replace(SPEC, max_steps=1, learning_rate=1e-9)
    biases = []
    for name, pairs in (("with", PAIRS), ("without", [TrainPair("Say:", "no molecule here")] * 8)):
        run = context(tmp_path / name)
        checkpoint = SciMind(options).train(TrainData(pairs), spec, run)
        model = AutoModelForCausalLM.from_pretrained(checkpoint.path)
        biases.append(model.model.layers[0].mlp.router.modality_bias)
    molecule, protein = 1, 3
    assert not torch.allclose(biases[0][molecule], biases[0][protein], atol=1e-3)
    assert torch.allclose(biases[1][molecule], biases[1][protein], atol=1e-6)


def test_routers_without_rows_to_be_fitted_to_are_refused(llama: Path, tmp_path: Path, ask_all) -> None:
    options = SciMindOptions(weights=str(llama), routing="routed", experts=4, text_experts=2)
    with pytest.raises(UsageError, match="routers of a fresh SciMind") as refused:
        trained(tmp_path, options, replace(SPEC, method="lora", optimizer="adamw"))
    assert "use-scimind" in refused.value.hint
    with pytest.raises(UsageError, match="routers of a fresh SciMind"):
        ask_all(SciMind(options), None, requests(), ASK, context(tmp_path))


def test_an_adapter_is_trained_saved_and_found_again(llama: Path, tmp_path: Path, ask_all) -> None:
    options = SciMindOptions(weights=str(llama), experts=4, text_experts=3)
    spec = replace(SPEC, method="lora", optimizer="adamw", lora_r=2)
    checkpoint = trained(tmp_path / "run", options, spec)
    assert checkpoint.format == "adapter"
    assert (checkpoint.path / "adapter_model.safetensors").exists()
    found = list(ask_all(SciMind(options), checkpoint, requests(), ASK, context(tmp_path)))
    assert len(found) == 4


def answers(checkpoint: Checkpoint, options: SciMindOptions, tmp_path: Path) -> dict[str, str]:
    run = context(tmp_path)
    with SciMind(options).open(checkpoint, run) as session:
        found = list(session.generate(requests(), ASK, run))
    return {completion.request_id: completion.text for completion in found}


@pytest.mark.parametrize("method", ["lora", "qlora", "full"])
def test_a_stage_after_an_adapter_starts_from_what_it_learned(
    llama: Path, tmp_path: Path, method: str
) -> None:
    if method == "qlora":
        pytest.importorskip("bitsandbytes")
    options = SciMindOptions(weights=str(llama), experts=4, text_experts=3)
    spec = replace(SPEC, method="lora", optimizer="adamw", max_steps=30, learning_rate=2e-2)
    first = trained(tmp_path / "first", options, spec)
    frozen = replace(spec, base=str(first.path), method=method, max_steps=1, learning_rate=1e-9)
    second = trained(tmp_path / "second", options, frozen)
    assert second.format == ("full" if method == "full" else "adapter")
    assert answers(second, options, tmp_path) == answers(first, options, tmp_path)
    untrained = trained(tmp_path / "untrained", options, replace(frozen, base="", method="lora"))
    assert answers(untrained, options, tmp_path) != answers(first, options, tmp_path)


def test_an_adapter_is_continued_and_known_by_its_folder_alone(llama: Path, tmp_path: Path) -> None:
    options = SciMindOptions(weights=str(llama), experts=4, text_experts=3)
    spec = replace(SPEC, method="lora", optimizer="adamw", max_steps=4)
    first = trained(tmp_path / "first", options, spec)
    second = trained(tmp_path / "second", options, replace(spec, base=str(first.path), lora_continue=True))
    assert not (second.path / "under").exists()
    bare = Checkpoint(second.path)  # as --checkpoint FOLDER gives it
    assert answers(bare, options, tmp_path) == answers(second, options, tmp_path)
    assert SciMind(options).open(bare, context(tmp_path)).prompt_tokens(requests()[0]).bos == 1


def test_an_adapter_without_its_base_asks_for_it(llama: Path, tmp_path: Path) -> None:
    options = SciMindOptions(weights=str(llama), experts=4, text_experts=3)
    spec = replace(SPEC, method="lora", optimizer="adamw", max_steps=1)
    adapter = trained(tmp_path / "run", options, spec)
    with pytest.raises(UsageError, match="is an adapter, and its base is not named") as refused:
        answers(adapter, replace(options, weights=""), tmp_path)
    assert "model.weights=DIR" in refused.value.hint
    with pytest.raises(UsageError, match="is an adapter, not whole weights"):
        answers(adapter, replace(options, weights=str(adapter.path)), tmp_path)


def test_methods_that_cannot_work_are_refused(llama: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    with pytest.raises(UsageError, match="4-bit weights cannot be arranged"):
        trained(tmp_path / "run", SciMindOptions(weights=str(llama)), replace(SPEC, method="qlora"))
    with pytest.raises(UsageError, match="needs weights under it"):
        trained(tmp_path, spec=replace(SPEC, method="lora"))


def test_weights_of_another_family_are_refused(tiny_t5: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="type t5") as refused:
        trained(tmp_path, SciMindOptions(weights=str(tiny_t5)))
    assert "model.weights=DIR" in refused.value.hint


def test_settings_and_rows_are_checked_before_weights_are_loaded(tmp_path: Path) -> None:
    nowhere = SciMindOptions(weights=str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match=r"train\.learning_rate is 0"):
        trained(tmp_path, nowhere, replace(SPEC, learning_rate=0.0))
    with pytest.raises(DataError, match="no rows to learn from"):
        SciMind(nowhere).train(TrainData([]), SPEC, context(tmp_path))


def test_every_preset_is_a_recipe_with_known_settings(load: Callable[..., Any]) -> None:
    from harness.plugins import scimind

    [entry] = scimind.harness_models()
    assert entry.recipes is not None
    assert {path.stem for path in entry.recipes.glob("*.toml")} == set(entry.presets)
    assert entry.presets[0] == "tiny"
