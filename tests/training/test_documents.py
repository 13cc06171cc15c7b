"""Attention within packed documents by torch's kernel for mixed lengths: what masks come to, without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

from harness import RunContext, TrainData, TrainSpec
from harness.training import documents
from harness.training.batching import Collator, EncodedRows, Segment, Shape, encode_rows
from harness.training.loop import fit
from harness.training.objectives import model_loss

from .conftest import encode_causal, llama, pairs

SPEC = TrainSpec(batch_size=4, max_length=64, packing="packed")


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Put a plain loop over documents in the place of the GPU's kernel; note how many each call had."""
    seen: list[int] = []

    def attend(q: Any, k: Any, v: Any, begins: Any, _: Any, longest: int, *rest: Any, **more: Any) -> Any:
        assert more["window_size"] == (-1, 0)
        edges = begins.tolist()
        seen.append(len(edges) - 1)
        parts = []
        for start, stop in pairwise(edges):
            assert 0 < stop - start <= longest
            one = [part[start:stop].transpose(0, 1)[None] for part in (q, k, v)]
            attended: torch.Tensor = functional.scaled_dot_product_attention(
                one[0], one[1], one[2], is_causal=True, scale=more["scale"], enable_gqa=more["enable_gqa"]
            )
            parts.append(attended)
        return torch.cat([part[0].transpose(0, 1) for part in parts])

    monkeypatch.setattr(documents, "kernel", lambda: attend)
    monkeypatch.setattr(documents, "DEVICES", ("cpu",))
    yield seen


def gpt2() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=128, n_positions=64, n_embd=32, n_layer=2, n_head=4)
    for name in ("attn_pdrop", "embd_pdrop", "resid_pdrop"):
        setattr(config, name, 0.0)
    return GPT2LMHeadModel(config)


def with_adapter() -> Any:
    torch.manual_seed(0)
    return get_peft_model(llama(), LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))


def recomputing() -> Any:
    model = llama()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    return model


def lines() -> dict[str, torch.Tensor]:
    """Two lines of unequal length, of three documents and of two."""
    rows, _ = encode_rows(enumerate(pairs(5)), encode_causal, SPEC, Shape(causal=True))
    return dict(Collator(rows, {}, packed=True, mask=False)([units(rows, 0, 1, 2), units(rows, 3, 4)]).inputs)


def units(rows: EncodedRows, *chosen: int) -> tuple[Segment, ...]:
    return tuple(Segment(row, 0, int(rows.lengths[row])) for row in chosen)


def learned(model: Any, inputs: dict[str, torch.Tensor]) -> tuple[float, list[torch.Tensor]]:
    model.train()
    model.config.use_cache = False
    loss = model_loss(model, inputs)
    loss.sum.backward()
    found = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return float(loss.sum.detach()), found


def value(model: Any, inputs: dict[str, torch.Tensor]) -> float:
    with torch.no_grad():
        return float(model_loss(model, inputs).sum)


@pytest.mark.parametrize("make", [llama, gpt2, with_adapter, recomputing])
def test_losses_and_gradients_are_those_of_a_mask(kernel: list[int], make: Callable[[], Any]) -> None:
    model, inputs = make(), lines()
    wanted, gradients = learned(model, inputs)
    assert not kernel
    apart = documents.within(model, lambda: value(model, inputs))
    kernel.clear()
    with apart():
        found, own = learned(model, inputs)
    assert found == pytest.approx(wanted, rel=1e-5)
    assert len(kernel) == (4 if make is recomputing else 2)  # layers, and again on the way back
    assert kernel[0] >= 5  # what fills a line counts as documents of its own
    for mine, theirs in zip(own, gradients, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_training_takes_it_and_leaves_the_model_as_it_was(
    kernel: list[int], make_run: Callable[..., RunContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, spec = TrainData(pairs(12)), replace(SPEC, max_steps=2)
    model = llama()
    fit(model, data, encode_causal, spec, make_run("own"))
    assert kernel
    assert model.config._attn_implementation == "sdpa"
    monkeypatch.setattr(documents, "kernel", lambda: None)
    masked = llama()
    fit(masked, data, encode_causal, spec, make_run("masked"))
    assert value(model, lines()) == pytest.approx(value(masked, lines()), rel=1e-3)


def test_a_model_that_comes_to_something_else_keeps_its_masks(
    kernel: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, inputs = llama(initializer_range=0.5), lines()
    monkeypatch.setattr(documents, "kernel", lambda: lambda q, *_, **__: torch.zeros_like(q))
    assert documents.within(model, lambda: value(model, inputs)) is nullcontext
    assert model.config._attn_implementation == "sdpa"


def test_dropout_of_attention_is_left_to_masks(kernel: list[int]) -> None:
    model, inputs = llama(attention_dropout=0.1).train(), lines()
    assert documents.within(model, lambda: value(model, inputs)) is nullcontext


def test_a_cpu_has_no_such_kernel() -> None:
    assert documents.within(llama(), lambda: 0.0) is nullcontext


@pytest.mark.gpu
def test_the_gpus_kernel_comes_to_what_masks_do() -> None:
    model = llama().to("cuda", torch.bfloat16)
    inputs = {name: value.to("cuda") for name, value in lines().items()}
    wanted, _ = learned(model, inputs)
    apart = documents.within(model, lambda: value(model, inputs))
    if documents.kernel() is None:
        pytest.skip("this torch has no kernel for rows of mixed lengths")
    assert apart is not nullcontext
    with apart():
        found, _ = learned(model, inputs)
    assert found == pytest.approx(wanted, rel=2e-2)
