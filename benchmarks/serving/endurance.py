"""Minutes of many clients, not all of them well behaved."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from . import load

CLIENTS = PROMPTS = 64
KINDS = ["well behaved"] * 44 + ["slow"] * 8 + ["broken"] * 6 + ["vanishing"] * 6
SETTLED = 60.0  # seconds until memory is looked at


def rows(folder: Path, seconds: float) -> list[dict[str, Any]]:
    port = load.free_port()
    with load.server(load.ours(folder, port), port, "/ready") as process:
        counts, memory = asyncio.run(endured(process, port, seconds))
    third = max(1, len(memory) // 3)  # what is read and joined at a moment moves it up and down
    first, last = statistics.median(memory[:third]), statistics.median(memory[-third:])
    return [
        {"what": "seconds", "value": round(seconds)},
        *({"what": what, "value": count} for what, count in sorted(counts.items())),
        {"what": "memory, median of the first third, MiB", "value": round(first)},
        {"what": "memory, median of the last third, MiB", "value": round(last)},
        {"what": "most memory since, MiB", "value": round(max(memory))},
        {"what": "change of memory %", "value": round(100 * (last - first) / first, 2)},
    ]


async def endured(process: psutil.Process, port: int, seconds: float) -> tuple[Counter[str], list[float]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models") as reply:
        model = json.load(reply)["data"][0]["id"]
    await filled(model, port)
    end = time.monotonic() + seconds
    counts: Counter[str] = Counter()
    memory: list[float] = []

    async def watch() -> None:
        await asyncio.sleep(min(SETTLED, seconds / 3))
        while time.monotonic() < end:
            memory.append(process.memory_info().rss / 2**20)
            await asyncio.sleep(2)

    clients = [client(kind, number, model, port, end, counts) for number, kind in enumerate(KINDS)]
    await asyncio.gather(watch(), *clients)
    return counts, memory


async def filled(model: str, port: int) -> None:
    """Ask every prompt once, so that what the server keeps of prompts is all there."""
    free = asyncio.Semaphore(16)

    async def one(prompt: str) -> None:
        async with free:
            await once("well behaved", model, prompt, port, random.Random(0))

    await asyncio.gather(*map(one, load.prompts(PROMPTS)))


async def client(kind: str, number: int, model: str, port: int, end: float, counts: Counter[str]) -> None:
    draw = random.Random(number)
    prompts = load.prompts(PROMPTS)
    while time.monotonic() < end:
        try:
            outcome = await once(kind, model, draw.choice(prompts), port, draw)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            outcome = type(error).__name__
        counts[f"{kind}: {outcome}"] += 1


async def once(kind: str, model: str, prompt: str, port: int, draw: random.Random) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        asked = {"model": model, "prompt": prompt, "max_tokens": 32, "temperature": 0, "stream": True}
        body = json.dumps(asked).encode()
        if kind == "broken":
            await asyncio.sleep(0.05)
            body = draw.choice([b"{", b'{"model": 1}', body[:50]])
        head = "POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
        writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode())
        writer.write(body)
        await writer.drain()
        status = int((await asyncio.wait_for(reader.readline(), 120)).split()[1])
        if status != 200:
            await reader.read()
            return str(status)
        said = b""
        while piece := await asyncio.wait_for(reader.read(256 if kind == "slow" else 65536), 120):
            said += piece
            if kind == "slow":
                await asyncio.sleep(0.2)
            if kind == "vanishing" and len(said) > draw.randint(200, 3000):
                return "left"
        return "answered" if b"[DONE]" in said else "torn"
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass
