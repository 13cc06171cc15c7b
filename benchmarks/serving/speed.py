"""Requests a second: one client at a time, several, and nobody between the requests and the engine."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from . import load

FEW, MANY = 16, 64
OF_FEW = str(FEW * (load.WORDS + 1 + load.NEW_TOKENS))  # tokens in the cache of so many rows
ALONE = 24  # requests that are asked one at a time
# room for 16,384 tokens: left alone it takes most of the machine's memory
CONTINUOUS = ("--continuous-batching", "--cb-block-size", "32", "--cb-num-blocks", "512")
OFFLINE = """
import json, sys, time
from pathlib import Path
from transformers import AutoModelForCausalLM, AutoTokenizer
from benchmarks.serving import load
from harness import GenerateSpec, Request, RunContext, RunSpec, decoding
import torch
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
def ask(count, batch_tokens):
    run = RunContext(Path(), RunSpec("", ""))
    requests = [Request(str(n), text) for n, text in enumerate(load.prompts(count))]
    spec = GenerateSpec(max_new_tokens=load.NEW_TOKENS, batch_tokens=batch_tokens)
    return {c.request_id: c.text for c in decoding.generate(model, tokenizer, requests, spec, run)}
ask(8, "auto")
for batch_tokens in sys.argv[2:]:
    cpu, wall = time.process_time(), time.perf_counter()
    texts = ask(load.COUNT, batch_tokens)
    cost = time.process_time() - cpu, time.perf_counter() - wall
    print(json.dumps([*cost, [texts[str(n)] for n in range(load.COUNT)]]))
"""


def offline_path(folder: Path, *batch_tokens: str) -> list[Any]:
    """Return CPU seconds, seconds and texts of the batch path with each budget, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(folder), *batch_tokens],
        cwd=load.ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()[-len(batch_tokens) :]]


def pairs(folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Return one row a round: the batch path with few rows, then the server with as many clients."""
    port = load.free_port()
    table = []
    with load.server(load.ours(folder, port), port, "/ready") as process:
        named = name_of_model(port)
        for number in range(1, rounds + 1):
            [(cpu, _, texts)] = offline_path(folder, OF_FEW)
            served = measured("run-bench serve", process, port, named, FEW, texts)["requests/CPU s"]
            offline = round(load.COUNT / cpu, 2)
            table.append(
                {
                    "round": number,
                    "offline, requests/CPU s": offline,
                    "served, requests/CPU s": served,
                    "of offline %": round(100 * served / offline, 1),
                }
            )
    return table


def name_of_model(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models") as reply:
        return str(json.load(reply)["data"][0]["id"])


def rows(folder: Path) -> list[dict[str, Any]]:
    offline = offline_path(folder, "auto", OF_FEW)
    texts = offline[0][2]
    table = [
        row(f"offline batch path, {rows}", "-", cpu, wall, [], found, texts)
        for rows, (cpu, wall, found) in zip(("all rows", f"{FEW} rows"), offline, strict=True)
    ]
    port = load.free_port()
    with load.server(load.ours(folder, port), port, "/ready") as process:
        named = name_of_model(port)
        table += [measured("run-bench serve", process, port, named, n, texts) for n in (1, FEW, MANY)]
    for name, more in (("transformers serve", ()), ("its continuous batching", CONTINUOUS)):
        port = load.free_port()
        try:
            with load.server(load.transformers_serve(folder, port, *more), port, "/health") as process:
                table += [measured(name, process, port, str(folder), n, texts) for n in (1, FEW)]
        except (Exception, SystemExit) as error:  # noqa: BLE001  a peer that fails is a row, not the end
            why = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            table.append(dict.fromkeys(table[0], "-") | {"contestant": f"{name}: {why[0][:120]}"})
    one = next(line for line in table if line["clients"] == 1)
    for line in table:
        if isinstance(line["requests/CPU s"], float):
            line["times one at a time"] = round(line["requests/CPU s"] / one["requests/CPU s"], 2)
            base = table[1 if line["clients"] == FEW else 0]
            line["of offline %"] = round(100 * line["requests/CPU s"] / base["requests/CPU s"], 1)
    return table


def measured(
    name: str, process: Any, port: int, model: str, clients: int, wanted: list[str]
) -> dict[str, Any]:
    asyncio.run(asked(port, model, load.prompts(4), 2))  # warms up
    cpu, wall = load.cpu_seconds(process), time.perf_counter()
    prompts = load.prompts(ALONE if clients == 1 else load.COUNT)
    found = asyncio.run(asked(port, model, prompts, clients))
    firsts = [first for _, first in found]
    texts = [text for text, _ in found]
    return row(
        name, clients, load.cpu_seconds(process) - cpu, time.perf_counter() - wall, firsts, texts, wanted
    )


async def asked(port: int, model: str, prompts: list[str], clients: int) -> list[tuple[str, float]]:
    """Ask all prompts, so many at a time; return each answer with the seconds to its first text."""
    free = asyncio.Semaphore(clients)
    address = f"http://127.0.0.1:{port}/v1"
    async with AsyncOpenAI(base_url=address, api_key="none", max_retries=0, timeout=120) as client:

        async def one(prompt: str) -> tuple[str, float]:
            async with free:
                started, first, text = time.perf_counter(), 0.0, ""
                stream = await client.completions.create(
                    model=model, prompt=prompt, max_tokens=load.NEW_TOKENS, temperature=0, stream=True
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
    same = sum(text.split() == other.split() for text, other in zip(texts, wanted, strict=False))
    return {
        "contestant": name,
        "clients": clients,
        "requests/CPU s": round(len(texts) / cpu, 2),
        "times one at a time": "-",
        "of offline %": "-",
        "wall s": round(wall, 1),
        "first text p50 s": round(statistics.median(firsts), 3) if firsts else "-",
        "first text p99 s": round(sorted(firsts)[int(0.99 * (len(firsts) - 1))], 3) if firsts else "-",
        "same answers %": round(100 * same / len(texts), 1),
    }
