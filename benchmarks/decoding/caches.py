"""The harness's eager loop against what transformers offers for GPUs: static caches, continuous batching.

On a GPU the model has a billion parameters in bf16, and what counts is the time on the wall; on a CPU it is
the tiny Llama of the other parts, and what counts is CPU seconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from transformers import ContinuousBatchingConfig, GenerationConfig, LlamaForCausalLM

from . import speed
from .workload import llama_config, tokenizer

BATCH = 32
PAGES = 256  # of 256 tokens each: enough for all requests at once; by default it takes most of the memory
BILLION = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 16,
}


def works() -> list[speed.Work]:
    """Return answers of very mixed length, and short even ones."""
    return [
        speed.Work("mixed answers", speed.ending(llama(), 1.7), speed.prompts(160, 5, 120), 256),
        speed.Work("32 tokens each", speed.endless(llama()), speed.prompts(200, 60, 60), 32),
    ]


def llama() -> Any:
    """Return a Llama with random weights on the GPU, or where there is none a tiny one."""
    if not torch.cuda.is_available():
        return speed.llama()
    torch.manual_seed(0)
    with torch.device("cuda"):
        return LlamaForCausalLM(llama_config(**BILLION)).to(torch.bfloat16).eval()


def measure(work: speed.Work, rounds: int) -> list[dict[str, Any]]:
    """Return one row a contestant: seconds, requests a second, memory, the share of equal answers."""
    words_of, unit = tokenizer(), "s" if torch.cuda.is_available() else "CPU s"
    contestants: dict[str, Callable[[], dict[str, str]]] = {
        "generate": partial(speed.fixed_batches, work, words_of, BATCH),
        "generate, static cache": partial(speed.fixed_batches, work, words_of, BATCH, cache="static"),
        "continuous batching": partial(continuous, work, words_of),
        "harness, auto": partial(speed.harness, work, words_of, "auto"),
    }
    rows, answers = [], {}
    for name, ask in contestants.items():
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        answers[name] = ask()  # compiles, captures, finds its budget
        taken = statistics.median(seconds(ask) for _ in range(rounds))
        same = sum(answers["generate"][i] == text for i, text in answers[name].items()) / len(work.requests)
        rows.append(
            {
                "workload": work.name,
                "contestant": name,
                unit: round(taken, 3),
                f"requests/{unit}": round(len(work.requests) / taken, 1),
                "same answers %": round(100 * same, 1),
            }
        )
        if torch.cuda.is_available():
            rows[-1]["peak GPU GiB"] = round(torch.cuda.max_memory_reserved() / 2**30, 2)
    return rows


def seconds(ask: Callable[[], Any]) -> float:
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    started = clock()
    ask()  # texts come back, so nothing is left in flight
    return clock() - started


def continuous(work: speed.Work, words_of: Any) -> dict[str, str]:
    """Ask transformers' continuous batching, its cache bounded to what the requests can need."""
    config = work.model.generation_config
    found = work.model.generate_batch(
        inputs=[words_of(request.prompt)["input_ids"] for request in work.requests],
        generation_config=GenerationConfig(
            max_new_tokens=work.most,
            do_sample=False,
            eos_token_id=config.eos_token_id,
            pad_token_id=config.pad_token_id,
        ),
        continuous_batching_config=ContinuousBatchingConfig(num_blocks=PAGES),
    )
    outputs = sorted(found.values(), key=lambda output: int(output.request_id.removeprefix("req_")))
    texts = (words_of.decode(output.generated_tokens, skip_special_tokens=True) for output in outputs)
    return {request.id: text for request, text in zip(work.requests, texts, strict=True)}
