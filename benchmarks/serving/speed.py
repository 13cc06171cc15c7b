"""Requests a second: one client at a time, several, and nobody between the requests and the engine."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from . import load

OFFLINE = """
import json, sys, time
from pathlib import Path
from transformers import AutoModelForCausalLM, AutoTokenizer
from benchmarks.serving import load
from harness import GenerateSpec, Request, RunContext, RunSpec, decoding
import torch
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
def ask(count):
    run = RunContext(Path(), RunSpec("", ""))
    requests = [Request(str(n), text) for n, text in enumerate(load.prompts(count))]
    spec = GenerateSpec(max_new_tokens=load.NEW_TOKENS)
    return {c.request_id: c.text for c in decoding.generate(model, tokenizer, requests, spec, run)}
ask(8)
cpu, wall = time.process_time(), time.perf_counter()
texts = ask(load.COUNT)
cost = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps([*cost, [texts[str(n)] for n in range(load.COUNT)]]))
"""


def rows(folder: Path) -> list[dict[str, Any]]:
    cpu, wall, texts = json.loads(
        subprocess.run(
            [sys.executable, "-c", OFFLINE, str(folder)],
            cwd=load.ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()[-1]
    )
    table = [row("offline batch path", "-", cpu, wall, [], texts, texts)]
    port = load.free_port()
    with load.server(load.ours(folder, port), port, "/ready") as process:
        table += [measured("run-bench serve", process, port, clients, texts) for clients in (1, 16, 64)]
    for name, more in (("transformers serve", ()), ("its continuous batching", ("--continuous-batching",))):
        port = load.free_port()
        try:
            with load.server(load.transformers_serve(folder, port, *more), port, "/health") as process:
                table += [measured(name, process, port, clients, texts) for clients in (1, 16)]
        except (Exception, SystemExit) as error:  # noqa: BLE001  a peer that fails is a row, not the end
            table.append(dict.fromkeys(table[0], "-") | {"contestant": f"{name}: {str(error)[:80]}"})
    one = next(line for line in table if line["clients"] == 1)
    for line in table:
        if isinstance(line["requests/CPU s"], float):
            line["times one at a time"] = round(line["requests/CPU s"] / one["requests/CPU s"], 2)
            line["of offline %"] = round(100 * line["requests/CPU s"] / table[0]["requests/CPU s"], 1)
    return table


def measured(name: str, process: Any, port: int, clients: int, wanted: list[str]) -> dict[str, Any]:
    asyncio.run(asked(port, load.prompts(4), 2))  # warms up
    cpu, wall = load.cpu_seconds(process), time.perf_counter()
    found = asyncio.run(asked(port, load.prompts(load.COUNT), clients))
    firsts = [first for _, first in found]
    texts = [text for text, _ in found]
    return row(
        name, clients, load.cpu_seconds(process) - cpu, time.perf_counter() - wall, firsts, texts, wanted
    )


async def asked(port: int, prompts: list[str], clients: int) -> list[tuple[str, float]]:
    """Ask all prompts, so many at a time; return each answer with the seconds to its first text."""
    free = asyncio.Semaphore(clients)
    address = f"http://127.0.0.1:{port}/v1"
    async with AsyncOpenAI(base_url=address, api_key="none", max_retries=0, timeout=600) as client:
        models = [model.id async for model in client.models.list()]

        async def one(prompt: str) -> tuple[str, float]:
            async with free:
                started, first, text = time.perf_counter(), 0.0, ""
                stream = await client.completions.create(
                    model=models[0], prompt=prompt, max_tokens=load.NEW_TOKENS, temperature=0, stream=True
                )
                async for piece in stream:
                    if piece.choices and piece.choices[0].text:
                        first = first or time.perf_counter() - started
                        text += piece.choices[0].text
                return text, first

        return list(await asyncio.gather(*map(one, prompts)))


def row(
    name: str, clients: Any, cpu: float, wall: float, firsts: list[float], texts: list[str], wanted: list[str]
) -> dict[str, Any]:
    same = sum(text.split() == other.split() for text, other in zip(texts, wanted, strict=True))
    return {
        "contestant": name,
        "clients": clients,
        "requests/CPU s": round(load.COUNT / cpu, 2),
        "times one at a time": "-",
        "of offline %": "-",
        "wall s": round(wall, 1),
        "first text p50 s": round(statistics.median(firsts), 3) if firsts else "-",
        "first text p99 s": round(sorted(firsts)[int(0.99 * (len(firsts) - 1))], 3) if firsts else "-",
        "same answers %": round(100 * same / load.COUNT, 1),
    }
