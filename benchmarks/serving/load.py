"""The model that is served, what it is asked, and the servers that run as processes of their own."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.decoding import speed
from benchmarks.decoding.workload import llama_config, tokenizer, words

ROOT = Path(__file__).resolve().parents[2]
COUNT, WORDS, NEW_TOKENS = 96, 60, 32


def write_model(folder: Path) -> None:
    """Write a Llama whose answers run to their limit, and its tokenizer."""
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    config = llama_config(
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=6,
        num_attention_heads=8,
        initializer_range=0.15,
    )
    speed.endless(LlamaForCausalLM(config)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def prompts(count: int = COUNT) -> list[str]:
    """Draw prompts."""
    draw = random.Random(0)
    return [" ".join(words(draw, WORDS)) for _ in range(count)]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def ours(folder: Path, port: int) -> list[str]:
    return [
        *(sys.executable, "run_bench.py", "serve", "--model", str(folder), "--port", str(port)),
        *("--device", "cpu", "--dtype", "fp32", "--set", "model.template=none"),
    ]


def transformers_serve(folder: Path, port: int, *more: str) -> list[str]:
    program = "from transformers.cli.transformers import main; main()"
    options = ("--device", "cpu", "--dtype", "float32", "--port", str(port), "--host", "127.0.0.1")
    return [sys.executable, "-c", program, "serve", str(folder), *options, *more]


@contextmanager
def server(command: list[str], port: int, path: str) -> Iterator[psutil.Process]:
    """Run a server until what it answers at a path says that it is ready."""
    with tempfile_log() as log:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 300
            while not answers(port, path):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{' '.join(command)} does not come up: {Path(log.name).read_text()[-2000:]}")
                time.sleep(0.2)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def tempfile_log():
    import tempfile

    return tempfile.NamedTemporaryFile("w", suffix=".log")


def answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system
