"""Parts of a batch learned side by side."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from harness import RunContext, TrainData, TrainSpec, UsageError, training
from harness.training.lanes import Lanes, twin
from harness.training.step import Stepper

from .conftest import encode_causal, encode_seq2seq, llama, pairs, t5

SPEC = TrainSpec(max_steps=3, batch_size=8, optimizer="muon", learning_rate=5e-3)
TWO = replace(SPEC, options={"lanes": 2})


def losses(run: RunContext) -> list[float]:
    rows = map(json.loads, (run.directory / "train_log.jsonl").read_text().splitlines())
    return [row["loss"] for row in rows if "loss" in row]


def learned(run: RunContext, spec: TrainSpec, model: Any = None) -> tuple[list[float], bytes]:
    model = llama() if model is None else model
    encode = encode_causal if not model.config.is_encoder_decoder else encode_seq2seq
    checkpoint = training.fit(model, TrainData(pairs(24)), encode, spec, run)
    return losses(run), (checkpoint.path / "model.safetensors").read_bytes()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_lanes_take_the_same_steps_and_end_in_the_same_bytes_each_time(
    make_run: Callable[..., RunContext], precision: str
) -> None:
    one, two = replace(SPEC, precision=precision), replace(TWO, precision=precision)
    whole, _ = learned(make_run("one"), one)
    halves, weights = learned(make_run("two"), two)
    assert halves == pytest.approx(whole, rel=1e-5 if precision == "fp32" else 5e-3)
    assert learned(make_run("again"), two) == (halves, weights)


def test_what_is_drawn_is_drawn_in_one_thread(
    make_run: Callable[..., RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    monkeypatch.setattr(Lanes, "__init__", _noting(made))
    learned(make_run("dropout"), TWO, t5(dropout_rate=0.1))
    learned(make_run("none"), TWO, t5(dropout_rate=0.0))
    assert made == [1, 2]


def _noting(made: list[int]) -> Callable[[Lanes, int], None]:
    real = Lanes.__init__

    def begin(self: Lanes, count: int) -> None:
        made.append(count)
        real(self, count)

    return begin


def test_a_twin_has_the_very_same_weights_and_modules_of_its_own() -> None:
    model = llama(tie_word_embeddings=True)
    other = twin(model)
    assert all(a is b for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert other.lm_head.weight is other.model.embed_tokens.weight
    assert not {id(module) for module in model.modules()} & {id(module) for module in other.modules()}


def test_a_failure_is_raised_when_the_other_lane_has_ended() -> None:
    ended = threading.Event()
    lanes = Lanes(2)

    def fails() -> None:
        raise MemoryError("here")

    with pytest.raises(MemoryError, match="here"), lanes.open():
        lanes.together([fails, ended.set])
    assert ended.is_set()
    with pytest.raises(MemoryError, match="here"), (again := Lanes(2)).open():
        again.together([ended.clear, fails])


def test_torch_has_its_own_threads_back_afterwards(make_run: Callable[..., RunContext]) -> None:
    before = torch.get_num_threads(), threading.active_count()
    learned(make_run(), TWO)
    assert (torch.get_num_threads(), threading.active_count()) == before


def test_no_lanes_are_refused(make_run: Callable[..., RunContext]) -> None:
    with pytest.raises(UsageError, match="lanes"):
        learned(make_run(), replace(SPEC, options={"lanes": 0}))


def test_an_interrupted_training_in_lanes_ends_in_the_same_bytes(
    make_run: Callable[..., RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(TWO, max_steps=4, save_every=2)
    _, undisturbed = learned(make_run("whole"), spec)
    run, step = make_run("cut"), Stepper.__call__

    def stopped(self: Stepper, rows: Any, factor: float, number: int, stop: bool) -> Any:
        if number == 4:
            raise KeyboardInterrupt
        return step(self, rows, factor, number, stop)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Stepper, "__call__", stopped)
        learned(run, spec)
    assert learned(run, spec)[1] == undisturbed
