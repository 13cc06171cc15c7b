"""What a run is asked to do: what each setting may be, and what the settings say together."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from harness import DataSpec, GenerateSpec, LaunchSpec, RunSpec, TaskOptions, TrainSpec, UsageError
from harness.api.bounds import ASKED, HOW, LEARNED, WHERE, Effect, marks, refuse_out_of_bounds


@pytest.mark.parametrize(
    "kind", [DataSpec, TrainSpec, GenerateSpec, LaunchSpec, TaskOptions], ids=lambda kind: kind.__name__
)
def test_what_is_set_by_nobody_is_allowed(kind):
    refuse_out_of_bounds(kind(), "section")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (TrainSpec(method="qlorra"), "train.method is qlorra, it must be full, lora or qlora"),
        (TrainSpec(learning_rate=0), "train.learning_rate is 0, it must be more than 0"),
        (TrainSpec(learning_rate=-1e-3), "train.learning_rate is -0.001, it must be more than 0"),
        (TrainSpec(max_steps=0), "train.max_steps is 0, it must be at least 1"),
        (TrainSpec(epochs=0.0), "train.epochs is 0.0, it must be more than 0"),
        (TrainSpec(ema_decay=1.0), "train.ema_decay is 1.0, it must be at least 0 and below 1"),
        (TrainSpec(lora_dropout=1), "train.lora_dropout is 1, it must be at least 0 and below 1"),
        (TrainSpec(betas=(0.9, 1.0)), "train.betas is 1.0, it must be at least 0 and below 1"),
        (TrainSpec(betas=(-0.1, 0.9)), "train.betas is -0.1, it must be at least 0 and below 1"),
        (TrainSpec(seed=-1), "train.seed is -1, it must be at least 0 and below"),
        (TrainSpec(seed=2**63), "train.seed is 9223372036854775808, it must be at least 0 and below"),
        (TrainSpec(patience=0), "train.patience is 0, it must be at least 1"),
        (TrainSpec(launch=LaunchSpec("mpi")), "train.launch.kind is mpi, it must be inline, torchrun or"),
        (TrainSpec(launch=LaunchSpec(processes=0)), "train.launch.processes is 0, it must be at least 1"),
    ],
)
def test_a_training_refuses_what_it_could_not_do(settings, said):
    with pytest.raises(UsageError) as refused:
        refuse_out_of_bounds(settings, "train")
    assert refused.value.message.startswith(said)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (GenerateSpec(decoder="gredy"), "generate.decoder is gredy, it must be greedy, sampling, beam or"),
        (GenerateSpec(temperature=0), "generate.temperature is 0, it must be more than 0"),
        (GenerateSpec(top_p=1.1), "generate.top_p is 1.1, it must be more than 0 and at most 1"),
        (GenerateSpec(top_k=-1), "generate.top_k is -1, it must be at least 0"),
        (GenerateSpec(max_new_tokens=0), "generate.max_new_tokens is 0, it must be at least 1"),
        (GenerateSpec(constraint="smile"), "generate.constraint is smile, it must be empty or smiles"),
        (DataSpec(limit=0), "generate.limit is 0, it must be at least 1"),
        (TaskOptions(shots=-1), "generate.shots is -1, it must be at least 0"),
        (TaskOptions(ask="leter"), "generate.ask is leter, it must be auto, likelihood, letters or letter"),
        (TaskOptions(reading="loose"), "generate.reading is loose, it must be auto, prose or strict"),
    ],
)
def test_an_asking_refuses_what_it_could_not_do(settings, said):
    with pytest.raises(UsageError) as refused:
        refuse_out_of_bounds(settings, "generate")
    assert refused.value.message.startswith(said)


@pytest.mark.parametrize(
    ("reward", "weights", "metrics"),
    [
        ("", {}, ()),
        ("rm", {"reward": 1.0}, ()),
        ("runs/trained/toy/rm", {"reward": 1.0}, ()),
        ("metric:validity", {"metric:validity": 1.0}, ("validity",)),
        ("mine:score", {"mine:score": 1.0}, ()),
        ({"validity": 2, "mine:score": 0.5}, {"metric:validity": 2.0, "mine:score": 0.5}, ("validity",)),
        ({"reward": 1, "metric:bleu-4": 3}, {"reward": 1.0, "metric:bleu-4": 3.0}, ("bleu-4",)),
    ],
)
def test_what_answers_earn_is_a_model_a_metric_or_a_function_with_a_weight(reward, weights, metrics):
    stage = TrainSpec(reward=reward)
    assert stage.rewards == weights
    assert stage.earned_metrics == metrics


def test_columns_are_known_by_what_a_task_looks_for():
    assert DataSpec(columns=("answer=Label", "smiles=SMILES (canonical)")).named == {
        "answer": "Label",
        "smiles": "SMILES (canonical)",
    }
    assert DataSpec(columns=("formula=a=b",)).named == {"formula": "a=b"}
    assert DataSpec().named == {}


def test_specs_that_say_the_same_are_the_same_key():
    assert {DataSpec("d", limit=3): 1}[DataSpec("d", limit=3)] == 1
    assert RunSpec("m", "t", seed=1) == replace(RunSpec("m", "t"), seed=1)
    assert RunSpec("m", "t", seed=1) != RunSpec("m", "t")


HOW_OR_WHERE = {
    DataSpec: {"source", "revision", "columns"},
    LaunchSpec: set(),
    TrainSpec: {"base", "inputs", "data", "save_every", "keep", "log_every", "tensorboard", "launch"},
    GenerateSpec: {"batch_tokens", "processes"},
    RunSpec: {"checkpoint", "title", "notice"},
}


@pytest.mark.parametrize("kind", HOW_OR_WHERE, ids=lambda kind: kind.__name__)
def test_a_field_changes_the_result_unless_this_list_says_otherwise(kind):
    """A setting that is marked by mistake would let a finished run answer for another."""
    marked = {name for name, written in marks(kind).items() if {HOW, WHERE} & set(written)}
    assert marked == HOW_OR_WHERE[kind]
    assert set(marks(kind)) == {field.name for field in fields(kind)}


def test_no_field_has_two_effects():
    for kind in HOW_OR_WHERE:
        for name, written in marks(kind).items():
            assert sum(isinstance(mark, Effect) for mark in written) <= 1, f"{kind.__name__}.{name}"


def test_rows_that_are_asked_and_rows_that_are_learned_from_are_told_apart():
    def marked(effect: Effect) -> set[str]:
        return {name for name, written in marks(DataSpec).items() if effect in written}

    assert marked(ASKED) == {"split", "limit", "reference_tokenizer"}
    assert marked(LEARNED) == {"train_split", "validation_split", "train_limit"}
