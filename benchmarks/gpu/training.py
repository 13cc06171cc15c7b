"""Training: utilisation of a billion weights in bf16, and tokens a second of adapters on eight billion."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from harness import MissingDependency, TrainSpec, training
from harness.training import documents, word_loss
from harness.training.apartness import loss_of
from harness.training.meter import Meter
from harness.training.objectives import model_loss

from .machine import Machine, Measurements, llama

FORMULA = (
    "MFU = tokens/s x FLOPs a token / the device's dense bf16 peak; FLOPs a token = 6 for each weight that "
    "is trained and 4 for each that is frozen (2 forward, 2 back through it, 2 for its own gradient), the "
    "output layer counted, embedding tables and attention scores not. So LoRA costs about 4N, not 6N"
)
STEPS, WARMUP = 10, 3
LORA = TrainSpec(method="lora", lora_r=16, lora_targets=("q_proj", "k_proj", "v_proj", "o_proj"))


def billion(machine: Machine) -> Measurements:
    """A 1B-class Llama, 8 rows of 2,048 tokens."""
    rows, length = machine.size((8, 2048), (2, 16))
    run = partial(_measured, machine, partial(llama, machine, "1b"), rows, length)
    yield "whole, own logits", partial(run, least=sys.maxsize)
    yield "whole, without logits", partial(run, least=0, prepare=_with_new_torch)
    for how, within in (("a mask", lambda *_: nullcontext), ("no mask", documents.within)):
        packed = partial(run, least=0, count=machine.size(8, 2), within=within)
        yield f"whole, packed, {how}", packed
    yield "LoRA", partial(run, least=0, prepare=_with_lora)
    if not machine.short:  # a compilation takes minutes on a CPU
        yield "whole, own logits, compiled", partial(run, least=sys.maxsize, prepare=_compiled)


def adapters(machine: Machine) -> Measurements:
    """LoRA on the shape of an 8B Llama, rows of 1,024 tokens."""
    length = machine.size(1024, 16)
    for rows in machine.size((4, 8), (2,)):
        make = partial(llama, machine, "8b")
        name = f"LoRA, {rows} rows of {length}"
        yield name, partial(_measured, machine, make, rows, length, least=0, prepare=_with_lora)


def quantised(machine: Machine) -> Measurements:
    """QLoRA: the base in 4 bits."""
    rows, length = machine.size((8, 1024), (2, 16))
    with TemporaryDirectory() as folder:
        make = partial(_in_four_bits, machine, folder)
        yield "QLoRA", partial(_measured, machine, make, rows, length, least=0, prepare=_with_lora)


def _measured(
    machine: Machine,
    make: Callable[[], Any],
    rows: int,
    length: int,
    *,
    least: int,
    count: int = 0,
    within: Callable[..., documents.Within] = lambda *_: nullcontext,
    prepare: Callable[[Any], Any] = lambda model: model,
) -> dict[str, Any]:
    machine.begin()
    model = prepare(make()).train()
    model.config.use_cache = False
    batch = _batch(machine, rows, length, count, model.config.vocab_size)
    with _words_from(least), within(model, partial(loss_of, model, model_loss, batch))():
        seconds = _seconds_a_step(machine, model, batch)
    meter = Meter(model, machine.device, 1)
    meter.seconds, meter.tokens = seconds, rows * length
    share = meter.utilisation
    return {
        "tokens/s": round(meter.tokens_per_second),
        "MFU %": "-" if share is None else round(100 * share, 1),
        "GFLOPs a token": round(meter.flops_per_token / 1e9, 3),
        "peak GiB": machine.gib(),
    }


def _seconds_a_step(machine: Machine, model: Any, batch: dict[str, torch.Tensor]) -> float:
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    for number in range(WARMUP + STEPS):
        if number == WARMUP:
            started = machine.now()
        loss = model_loss(model, batch)
        (loss.sum / loss.weight).backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return (machine.now() - started) / STEPS


def _batch(machine: Machine, rows: int, length: int, count: int, words: int) -> dict[str, torch.Tensor]:
    """Return rows of random words; with a `count`, each row is so many documents, kept apart."""
    ids = torch.randint(3, words, (rows, length), generator=torch.Generator().manual_seed(0))
    batch = {"input_ids": ids, "labels": ids.clone()}
    if count:
        each = length // count
        batch["position_ids"] = torch.arange(each).repeat(count).expand(rows, -1)
        batch["labels"][:, ::each] = -100
    return {key: value.to(machine.device) for key, value in batch.items()}


def _with_lora(model: Any) -> Any:
    return training.prepare_model(model, LORA)


def _with_new_torch(model: Any) -> Any:
    if not hasattr(nn.functional, "linear_cross_entropy"):
        raise MissingDependency(f"torch {torch.__version__} has no linear_cross_entropy", hint="torch 2.13")
    return model


def _compiled(model: Any) -> Any:
    model.compile()
    return model


def _in_four_bits(machine: Machine, folder: str) -> Any:
    from transformers import LlamaForCausalLM

    quantization = training.few_bits("4bit")  # says what is missing before anything is written
    llama(machine, "1b").save_pretrained(folder)
    where = {"": machine.device}
    return LlamaForCausalLM.from_pretrained(
        folder, quantization_config=quantization, device_map=where, dtype=torch.bfloat16
    )


@contextmanager
def _words_from(least: int) -> Iterator[None]:
    before, word_loss.LEAST = word_loss.LEAST, least
    try:
        yield
    finally:
        word_loss.LEAST = before
