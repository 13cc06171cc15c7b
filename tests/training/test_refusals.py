"""Each bad input is one clear sentence, and running out of something loses no work."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from harness import (
    DataError,
    LaunchSpec,
    MissingDependency,
    RunContext,
    StageError,
    TrainData,
    TrainPair,
    UsageError,
    training,
)
from harness.training.zero import engine_config

from .conftest import Events, encode_causal, llama, pairs, t5
from .test_fit import SPEC, losses

MakeRun = Callable[..., RunContext]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"learning_rate": 0.0}, "train.learning_rate is 0.0, it must be more than 0"),
        ({"learning_rate": float("nan")}, "train.learning_rate is nan, it must be more than 0"),
        ({"max_steps": 0}, "train.max_steps is 0, it must be at least 1"),
        ({"epochs": -1.0}, "train.epochs is -1.0, it must be more than 0"),
        ({"batch_size": 0}, "train.batch_size is 0, it must be at least 1"),
        ({"optimizer": "adamW"}, "train.optimizer is adamW, it must be adamw, adam, muon or adamw8bit"),
        (
            {"schedule": "cosin"},
            "train.schedule is cosin, it must be linear, cosine, constant or warmup-decay",
        ),
        ({"options": {"windw": 3}}, "stage 'sft' has no option 'windw'"),
        ({"warmup_steps": 50}, "train.warmup_steps is 50, more than the 12 steps of the training"),
    ],
)
def test_impossible_numbers_are_named(make_run: MakeRun, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        training.fit(llama(), TrainData(pairs(8)), encode_causal, replace(SPEC, **changes), make_run())
    assert refused.value.message == sentence


def test_empty_data_is_refused(make_run: MakeRun) -> None:
    with pytest.raises(DataError, match="no rows to learn from"):
        training.fit(llama(), TrainData([]), encode_causal, SPEC, make_run())


def test_one_row_is_enough(make_run: MakeRun) -> None:
    run = make_run()
    training.fit(llama(), TrainData(pairs(1)), encode_causal, SPEC, run)
    assert len(losses(run)) == 12


def test_rows_that_are_all_too_long_are_refused(make_run: MakeRun) -> None:
    with pytest.raises(
        DataError, match=r"no row fits into train\.max_length = 4 tokens: 8 are longer"
    ) as refused:
        training.fit(llama(), TrainData(pairs(8)), encode_causal, replace(SPEC, max_length=4), make_run())
    shortest = min(len(encode_causal(row)["labels"]) for row in pairs(8))
    assert refused.value.hint.startswith(f"--set train.max_length={shortest} ")


def test_some_rows_that_are_too_long_are_left_out_and_counted(make_run: MakeRun, events: Events) -> None:
    rows = [*pairs(8), TrainPair("a" * 200, "x")]
    training.fit(llama(), TrainData(rows), encode_causal, SPEC, make_run())
    assert events.last("training_finished")["rows_too_long"] == 1
    assert events.last("note")["text"] == (
        "1 of 9 training rows is longer than train.max_length = 64 tokens and was left out"
    )


def test_labels_that_are_all_masked_are_refused(make_run: MakeRun) -> None:
    def masked(row: TrainPair) -> Mapping[str, list[int]]:
        return {**encode_causal(row), "labels": [-100] * len(encode_causal(row)["labels"])}

    with pytest.raises(DataError, match="all labels are masked"):
        training.fit(llama(), TrainData(pairs(8)), masked, SPEC, make_run())


def test_a_tokenizer_without_padding_is_refused(make_run: MakeRun) -> None:
    with pytest.raises(UsageError, match="input_ids cannot be padded: the tokenizer has no padding token"):
        training.fit(
            llama(),
            TrainData(pairs(8)),
            encode_causal,
            SPEC,
            make_run(),
            pad={"input_ids": None, "labels": -100},
        )


def test_a_tokenizer_without_an_end_is_refused(make_run: MakeRun) -> None:
    def endless(row: TrainPair) -> Mapping[str, list[int | None]]:
        ids = [*encode_causal(row)["input_ids"], None]
        return {"input_ids": ids, "labels": ids}

    with pytest.raises(
        UsageError, match="encode\\(\\) returned None among the input_ids of row 0"
    ) as refused:
        training.fit(llama(), TrainData(pairs(8)), endless, SPEC, make_run())
    assert "end of text" in refused.value.hint


@pytest.mark.parametrize(
    ("library", "changes"),
    [
        ("deepspeed", {"launch": LaunchSpec(strategy="zero2")}),
        ("bitsandbytes", {"optimizer": "adamw8bit"}),
        ("tensorboard", {"tensorboard": True}),
    ],
)
def test_a_library_that_is_absent_is_named_with_what_installs_it(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, library: str, changes: dict[str, Any]
) -> None:
    for name in [
        library,
        *(name for name in sys.modules if name.startswith((f"{library}.", f"torch.utils.{library}"))),
    ]:
        monkeypatch.setitem(sys.modules, name, None)  # as Python does for a module that cannot be imported
    monkeypatch.delitem(sys.modules, f"torch.utils.{library}", raising=False)
    with pytest.raises(MissingDependency, match=f"needs {library}, which is not installed") as refused:
        training.fit(llama(), TrainData(pairs(8)), encode_causal, replace(SPEC, **changes), make_run())
    assert refused.value.hint.startswith("pip install ") and library in refused.value.hint


def test_four_bit_weights_without_their_library_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingDependency, match="weights in 4bit needs bitsandbytes"):
        training.quantization(replace(SPEC, method="qlora"))


def test_a_streamed_corpus_needs_a_number_of_steps(make_run: MakeRun) -> None:
    class Endless:
        def __iter__(self) -> Any:
            return iter(pairs(30))

    with pytest.raises(UsageError, match="streamed corpus has no known length"):
        training.fit(
            llama(), TrainData(Endless()), encode_causal, replace(SPEC, max_steps=None, epochs=1), make_run()
        )


def test_an_encoder_decoder_cannot_be_packed(make_run: MakeRun) -> None:
    with pytest.raises(UsageError, match="cannot keep packed rows apart"):
        training.fit(t5(), TrainData(pairs(8)), encode_causal, replace(SPEC, packing="packed"), make_run())


def test_a_metric_that_nobody_computes_cannot_select(make_run: MakeRun) -> None:
    data = TrainData(pairs(8), validation=pairs(4))
    spec = replace(SPEC, eval_every=4, select_metric="bleu")
    with pytest.raises(UsageError, match="'bleu' cannot select the best step"):
        training.fit(llama(), data, encode_causal, spec, make_run())


def test_a_disk_that_is_too_small_is_refused_before_training(make_run: MakeRun, monkeypatch: Any) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StageError, match="no room for checkpoints"):
        training.fit(llama(), TrainData(pairs(8)), encode_causal, SPEC, make_run())


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"model": {"hidden_size": 64}}, "architecture was"),
        ({"spec": {"learning_rate": 1e-4}}, "train.learning_rate was 0.005, is 0.0001"),
        ({"rows": {"seed": 5}}, "tokens of the training rows was"),
    ],
)
def test_the_state_of_another_training_is_refused(
    make_run: MakeRun, changed: dict[str, dict[str, Any]], difference: str
) -> None:
    run = make_run()
    training.fit(llama(), TrainData(pairs(8)), encode_causal, SPEC, run)
    with pytest.raises(UsageError, match="belongs to another training") as refused:
        training.fit(
            llama(**changed.get("model", {})),
            TrainData(pairs(8, **changed.get("rows", {}))),
            encode_causal,
            replace(SPEC, **changed.get("spec", {})),
            run,
        )
    assert difference in refused.value.message


class Failing:
    """An objective that does as told at one of its calls."""

    def __init__(self, call: int, failure: Callable[[training.Loss], training.Loss]) -> None:
        self.left = call
        self.failure = failure

    def __call__(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> training.Loss:
        self.left -= 1
        loss = training.model_loss(model, batch)
        return self.failure(loss) if self.left == 0 else loss


def test_a_loss_that_is_not_a_number_stops_with_its_rows(make_run: MakeRun) -> None:
    run = make_run()
    spec = replace(SPEC, save_every=2)
    poisoned = Failing(6, lambda loss: loss._replace(sum=loss.sum * float("nan")))
    with pytest.raises(StageError, match="not a finite number at step 6, on training rows") as stopped:
        training.fit(llama(), TrainData(pairs(64)), encode_causal, spec, run, loss=poisoned)
    batch = json.loads((run.directory / "state" / "bad_batch.json").read_text())
    assert batch["step"] == 6 and len(batch["rows"]) == 8
    assert stopped.value.exit_code == 5
    assert (run.directory / "state" / "step-4" / "manifest.json").exists()


def test_out_of_memory_halves_the_micro_batch_and_takes_the_same_steps(
    make_run: MakeRun, events: Events
) -> None:
    def exhausted(loss: training.Loss) -> training.Loss:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    plain, recovered = make_run("plain"), make_run("recovered")
    training.fit(llama(), TrainData(pairs(64)), encode_causal, SPEC, plain)
    training.fit(llama(), TrainData(pairs(64)), encode_causal, SPEC, recovered, loss=Failing(3, exhausted))
    assert events.last("training_finished")["micro_batch_splits"] == 2
    assert losses(recovered) == pytest.approx(losses(plain), abs=1e-5)


def test_memory_that_is_short_for_one_row_is_said(make_run: MakeRun) -> None:
    def never(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> training.Loss:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    with pytest.raises(StageError, match="out of memory at step 1 with a single row"):
        training.fit(llama(), TrainData(pairs(64)), encode_causal, SPEC, make_run(), loss=never)


def test_a_damaged_state_is_passed_over(make_run: MakeRun, events: Events) -> None:
    run = make_run()
    spec = replace(SPEC, save_every=3)
    stop = Failing(10, lambda loss: loss._replace(sum=loss.sum * float("nan")))
    with pytest.raises(StageError):
        training.fit(llama(), TrainData(pairs(64)), encode_causal, spec, run, loss=stop)
    newest = run.directory / "state" / "step-9" / "weights.pt"
    newest.write_bytes(newest.read_bytes()[:-10])
    training.fit(llama(), TrainData(pairs(64)), encode_causal, spec, run)
    assert events.last("training_resumed")["step"] == 6


@pytest.mark.parametrize("kind", ["inline", "torchrun", "deepspeed"])
def test_fewer_processes_than_asked_for_are_refused(make_run: MakeRun, kind: str) -> None:
    spec = replace(SPEC, launch=LaunchSpec(kind, processes=2))
    with pytest.raises(StageError, match="2 processes were asked for, 1 are running"):
        training.fit(llama(), TrainData(pairs(8)), encode_causal, spec, make_run())


@pytest.mark.parametrize("changes", [{"optimizer": "muon"}, {"ema_decay": 0.9}])
def test_what_needs_whole_weights_is_refused_where_they_are_sharded(
    make_run: MakeRun, changes: dict[str, Any]
) -> None:
    spec = replace(SPEC, launch=LaunchSpec(strategy="fsdp"), **changes)
    with pytest.raises(UsageError, match="works on whole weights, strategy 'fsdp' shards them"):
        training.fit(llama(), TrainData(pairs(8)), encode_causal, spec, make_run())


@pytest.mark.parametrize(
    ("strategy", "sentence"),
    [
        ("ddp", "strategy 'ddp' offloads nothing"),
        ("fsdp", "strategy 'fsdp' offloads from a GPU, and this training is on the CPU"),
    ],
)
def test_an_offload_that_would_not_happen_is_refused(make_run: MakeRun, strategy: str, sentence: str) -> None:
    spec = replace(SPEC, launch=LaunchSpec(strategy=strategy, offload=True))
    with pytest.raises(UsageError) as refused:
        training.fit(llama(), TrainData(pairs(8)), encode_causal, spec, make_run())
    assert refused.value.message == sentence


@pytest.mark.parametrize(
    ("launch", "named"),
    [
        (LaunchSpec(strategy="zero1", offload=True), "zero1"),
        (LaunchSpec(strategy="zero2", ds_config="ds_zero2", offload=True), "ds_zero2"),
    ],
)
def test_a_configuration_that_offloads_nothing_is_refused_where_offload_is_asked_for(
    launch: LaunchSpec, named: str
) -> None:
    with pytest.raises(UsageError, match=f"offload was asked for, {named} keeps everything on the GPU"):
        engine_config(replace(SPEC, launch=launch), "fp32", 1)


def test_a_deepspeed_configuration_of_another_stage_is_refused() -> None:
    launch = LaunchSpec(strategy="zero3", ds_config="ds_zero2")
    with pytest.raises(UsageError, match="strategy 'zero3' was asked for, ds_zero2 holds ZeRO stage 2"):
        engine_config(replace(SPEC, launch=launch), "fp32", 1)


def test_an_unknown_deepspeed_configuration_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="no DeepSpeed configuration 'ds_zero4'") as refused:
        engine_config(replace(SPEC, launch=LaunchSpec(ds_config="ds_zero4")), "fp32", 1)
    assert "ds_zero" in refused.value.hint
