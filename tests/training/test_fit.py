"""What `fit` learns, writes and refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedModel

from harness import RunContext, TrainData, TrainSpec, training

from .conftest import Events, encode_causal, encode_seq2seq, llama, pairs, t5

SPEC = TrainSpec(max_steps=12, learning_rate=5e-3, batch_size=8, max_length=64, save_every=100)


def losses(run: RunContext) -> list[float]:
    rows = (run.directory / "train_log.jsonl").read_text().splitlines()
    return [json.loads(row)["loss"] for row in rows if "loss" in json.loads(row)]


def test_a_training_lowers_the_loss_and_leaves_a_loadable_model(make_run: Callable[..., RunContext]) -> None:
    run = make_run()
    checkpoint = training.fit(llama(), TrainData(pairs(64)), encode_causal, SPEC, run)
    curve = losses(run)
    assert len(curve) == 12 and curve[-1] < curve[0] - 0.5
    assert checkpoint.step == 12 and checkpoint.format == "full"
    assert LlamaForCausalLM.from_pretrained(checkpoint.path).config.use_cache


def test_accumulated_micro_batches_take_the_same_step_as_one_batch(
    make_run: Callable[..., RunContext],
) -> None:
    """Token-mean over the whole step: 4 batches of 4 rows are 1 batch of 16."""
    data = TrainData(pairs(16))
    whole = replace(SPEC, batch_size=16, packing="none", max_steps=3)
    cut = replace(whole, batch_size=4, grad_accumulation=4)
    runs = make_run("whole"), make_run("cut")
    for run, spec in zip(runs, (whole, cut), strict=True):
        training.fit(llama(), data, encode_causal, spec, run)
    assert losses(runs[0]) == pytest.approx(losses(runs[1]), abs=2e-6)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_follows_the_fp32_curve(make_run: Callable[..., RunContext], precision: str) -> None:
    exact, rounded = make_run("fp32"), make_run(precision)
    training.fit(llama(), TrainData(pairs(64)), encode_causal, SPEC, exact)
    training.fit(llama(), TrainData(pairs(64)), encode_causal, replace(SPEC, precision=precision), rounded)
    assert losses(rounded) == pytest.approx(losses(exact), rel=0.03)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "adamw8bit", "muon"])
def test_every_optimizer_trains_encoder_decoders(make_run: Callable[..., RunContext], optimizer: str) -> None:
    if optimizer == "adamw8bit":
        pytest.importorskip("bitsandbytes")
    run = make_run()
    spec = replace(SPEC, optimizer=optimizer, batch_tokens=200, schedule="cosine", warmup_steps=0.1)
    training.fit(t5(), TrainData(pairs(64)), encode_seq2seq, spec, run)
    assert losses(run)[-1] < losses(run)[0]


def test_only_a_training_whose_result_is_gone_is_repeated(make_run: Callable[..., RunContext]) -> None:
    run = make_run()
    first = training.fit(llama(), TrainData(pairs(64)), encode_causal, SPEC, run)
    written = (first.path / "model.safetensors").stat().st_mtime_ns
    assert training.fit(llama(), TrainData(pairs(64)), encode_causal, SPEC, run) == first
    assert (first.path / "model.safetensors").stat().st_mtime_ns == written
    shutil.rmtree(first.path)
    assert training.fit(llama(), TrainData(pairs(64)), encode_causal, SPEC, run) == first
    assert (first.path / "model.safetensors").exists()


def test_gradient_checkpointing_changes_no_loss(make_run: Callable[..., RunContext]) -> None:
    plain, recomputed = make_run("plain"), make_run("recomputed")
    training.fit(llama(), TrainData(pairs(64)), encode_causal, SPEC, plain)
    spec = replace(SPEC, gradient_checkpointing=True)
    training.fit(llama(), TrainData(pairs(64)), encode_causal, spec, recomputed)
    assert losses(plain) == pytest.approx(losses(recomputed), abs=1e-6)


def test_compiled_layers_learn_the_same_and_are_plain_again_afterwards(
    make_run: Callable[..., RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[bool] = []

    def backend(graph: torch.fx.GraphModule, examples: object) -> Callable[..., object]:
        def run(*inputs: object) -> object:
            calls.append(model.training)
            return graph(*inputs)

        return run

    # What is traced is run as it was traced: generating code for it takes half a minute.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    plain, compiled = make_run("plain"), make_run("compiled")
    data = TrainData(pairs(24), validation=pairs(4))
    spec = replace(SPEC, max_steps=3, eval_every=1)
    training.fit(llama(), data, encode_causal, spec, plain)
    model = llama()
    training.fit(model, data, encode_causal, replace(spec, compile=True), compiled)
    assert losses(plain) == pytest.approx(losses(compiled), abs=1e-5)
    assert calls
    assert all(calls)  # looking at validation rows, it runs as it is
    assert model.model._compiled_call_impl is None


def test_gradient_checkpointing_goes_by_its_older_name_where_there_is_no_other(
    make_run: Callable[..., RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in ("enable", "disable"):
        now, before = f"activation_checkpointing_{what}", f"gradient_checkpointing_{what}"
        if hasattr(PreTrainedModel, now):  # transformers 5.17 has the older names alone
            monkeypatch.setattr(PreTrainedModel, before, getattr(PreTrainedModel, now))
            monkeypatch.delattr(PreTrainedModel, now)
    model = llama()
    spec = replace(SPEC, gradient_checkpointing=True, max_steps=1)
    training.fit(model, TrainData(pairs(8)), encode_causal, spec, make_run())
    assert not model.is_gradient_checkpointing


@pytest.mark.parametrize(("here", "threads"), [("2", 4), ("8", 1), ("16", 1)])
def test_the_processes_of_a_machine_share_its_cores_whatever_there_is_elsewhere(
    here: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "16")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", here)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))
    before = torch.get_num_threads()
    try:
        assert training.use_cores() == threads
    finally:
        torch.set_num_threads(before)


def test_a_stack_of_matrices_takes_the_muon_step_of_its_matrices() -> None:
    torch.manual_seed(0)
    matrices = [torch.nn.Parameter(torch.randn(16, 24)) for _ in range(3)]
    stack = torch.nn.Parameter(torch.stack([m.detach() for m in matrices]))
    for matrix in matrices:
        matrix.grad = torch.randn(16, 24)
    stack.grad = torch.stack([m.grad for m in matrices if m.grad is not None])
    theirs = torch.optim.Muon(matrices, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    ours = training.Muon([stack], lr=0.01, weight_decay=0.1)
    for _ in range(3):
        theirs.step()
        ours.step()
    assert torch.allclose(stack, torch.stack(list(matrices)), atol=2e-3)


def test_curves_events_and_tensorboard_show_the_training(
    make_run: Callable[..., RunContext], events: Events
) -> None:
    pytest.importorskip("tensorboard")
    run = make_run()
    spec = replace(SPEC, eval_every=6, tensorboard=True, log_every=4)
    data = TrainData(pairs(64), validation=pairs(5, seed=2))
    training.fit(llama(), data, encode_causal, spec, run)
    assert (run.directory / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (run.directory / "curves.svg").read_text()
    assert list((run.directory / "tensorboard").glob("events*"))
    assert [facts["step"] for kind, facts in events if kind == "train_step"] == [1, 4, 8, 12]
    facts = events.last("training_finished")
    assert facts["tokens_per_second"] > 0 and facts["peak_memory_mib"] > 0 and facts["utilisation"] is None


def test_both_directions_teach_one_encoder_decoder(make_run: Callable[..., RunContext]) -> None:
    run = make_run()
    spec = replace(SPEC, stage="pretrain", max_steps=None, epochs=1.5)
    training.fit(t5(), TrainData(training.BothDirections(pairs(20))), encode_seq2seq, spec, run)
    assert len(losses(run)) == 5 + 2  # 40 rows by 8, then half of that, rounded to even
