"""Answering: tokens a second by rows at once, and many clients at one engine."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.decoding import caches, speed
from benchmarks.decoding.workload import tokenizer
from harness import GenerateSpec, decoding

from .machine import Machine, Measurements, llama


def decoding_speed(machine: Machine) -> Measurements:
    """Answers of one length, by rows at once: the harness, static caches, continuous batching."""
    model = _endless(machine)
    words = machine.size(128, 8)
    new = machine.size(128, 4)
    for rows in machine.size((1, 8, 64, 256), (2,)):
        work = speed.Work(f"{rows} rows", model, speed.prompts(rows, words, words), new)
        ways = {
            "harness": partial(speed.harness, work, tokenizer(), "auto"),
            "generate": partial(speed.fixed_batches, work, tokenizer(), rows),
            "generate, static cache": partial(speed.fixed_batches, work, tokenizer(), rows, cache="static"),
            "continuous batching": partial(caches.continuous, work, tokenizer()),
        }
        for name, ask in ways.items():
            yield f"{rows} rows, {name}", partial(_rate, machine, ask, rows * new)


def serving(machine: Machine) -> Measurements:
    """Clients at one engine, each asking again as soon as it is answered."""
    model = _endless(machine)
    for clients in machine.size((1, 16, 64), (1, 4)):
        yield f"{clients} clients", partial(_served, machine, model, clients)


def _rate(machine: Machine, ask: Any, tokens: int) -> dict[str, Any]:
    machine.begin()
    ask()  # compiles, captures, finds its budget
    started = machine.now()
    ask()
    return {"tokens/s": round(tokens / (machine.now() - started)), "peak GiB": machine.gib()}


def _served(machine: Machine, model: Any, clients: int) -> dict[str, Any]:
    machine.begin()
    new = machine.size(64, 4)
    waiting = speed.prompts(3 * clients, 60, 60)
    spec = GenerateSpec(max_new_tokens=new)
    engine = decoding.Engine(model, tokenizer(), spec)
    waits, asked_at, first, asking, started = [], {}, set(), [], machine.now()
    while waiting or asking:
        while waiting and len(asking) < clients:
            stream = engine.submit(waiting.pop(), spec)
            asked_at[stream] = machine.now()
            asking.append(stream)
        engine.step()
        for stream in asking:
            if stream not in first and (stream.completion is not None or stream.take()):
                first.add(stream)
                waits.append(machine.now() - asked_at[stream])
        asking = [stream for stream in asking if engine.holds(stream)]
    seconds = machine.now() - started
    return {
        "requests/s": round(3 * clients / seconds, 1),
        "tokens/s": round(3 * clients * new / seconds),
        "first text p50 s": round(sorted(waits)[len(waits) // 2], 3),
        "peak GiB": machine.gib(),
    }


def _endless(machine: Machine) -> Any:
    return speed.endless(llama(machine, "1b").eval())
