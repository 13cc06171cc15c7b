"""CPU seconds inside one process: the harness against `generate` in fixed batches in the file's order."""

from __future__ import annotations

import copy
import dataclasses
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from harness import GenerateSpec, Request, RunContext, RunSpec, decoding

from .workload import llama_config, tokenizer, words

FIXED = (16, 32, 64)
BUDGETS = (4096, 16384, 65536)


@dataclass(frozen=True, slots=True)
class Work:
    """A model, what it is asked, the longest answer it may give, and how it decodes."""

    name: str
    model: Any
    requests: Sequence[Request]
    most: int
    settings: Mapping[str, Any] = field(default_factory=dict)


def works() -> Iterator[Work]:
    """Yield the workloads: answers of very mixed length, and short even ones."""
    beams, contrastive = {"num_beams": 4}, {"decoder": "contrastive", "top_k": 4}
    yield Work("Llama, mixed answers", ending(llama(), 1.7), prompts(160, 5, 120), 256)
    yield Work("T5, mixed answers", ending(t5(), 4.0), prompts(60, 5, 120), 256)
    yield Work("Llama, 32 tokens each", endless(llama()), prompts(200, 60, 60), 32)
    yield Work("T5, 32 tokens each", endless(t5()), prompts(200, 60, 60), 32)
    yield Work("Llama, 4 beams", ending(llama(), 1.7), prompts(60, 5, 120), 128, beams)
    yield Work("T5, 4 beams", ending(t5(), 4.0), prompts(60, 5, 120), 128, beams)
    yield Work("Llama, contrastive", ending(llama(), 1.7), prompts(60, 5, 120), 128, contrastive)


def measure(work: Work, rounds: int) -> list[dict[str, Any]]:
    """Return one row a contestant: CPU seconds, requests a second, the share of equal answers."""
    words_of = tokenizer()
    contestants: dict[str, Callable[[], dict[str, str]]] = {
        f"generate, batches of {size}": partial(fixed_batches, work, words_of, size) for size in FIXED
    }
    for budget in (*map(str, BUDGETS), "auto"):
        contestants[f"harness, {budget}"] = partial(harness, work, words_of, budget)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    answers: dict[str, dict[str, str]] = {}
    for number in range(rounds + 1):  # in turns, so that a busy moment hits all alike; the first warms up
        for name, ask in contestants.items():
            started = time.process_time()
            answers[name] = ask()
            if number:
                seconds[name].append(time.process_time() - started)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    reference = answers[f"generate, batches of {FIXED[0]}"]
    floor = min(value for name, value in medians.items() if name.startswith("generate"))
    return [
        {
            "workload": work.name,
            "contestant": name,
            "CPU s": round(medians[name], 3),
            "requests/CPU s": round(len(work.requests) / medians[name], 1),
            "times the best generate": round(floor / medians[name], 2),
            "same answers %": round(100 * sum(texts[i] == t for i, t in reference.items()) / len(texts), 1),
        }
        for name, texts in answers.items()
    ]


def differing(work: Work) -> list[dict[str, Any]]:
    """Return, by precision, the share of answers that decoding in batches changes."""
    shares = []
    for precision in ("fp32", "bf16"):
        model = copy.deepcopy(work.model).to(decoding.load_dtype(precision, "cpu"))
        same_work = dataclasses.replace(work, model=model, requests=work.requests[:60])
        alone = harness(same_work, tokenizer(), "auto", deterministic=True)
        together = harness(same_work, tokenizer(), "auto")
        changed = sum(alone[name] != text for name, text in together.items())
        shares.append(
            {
                "workload": work.name,
                "precision": precision,
                "answers": len(alone),
                "answers that batching changed %": round(100 * changed / len(alone), 2),
            }
        )
    return shares


def harness(work: Work, words_of: Any, batch_tokens: str, *, deterministic: bool = False) -> dict[str, str]:
    run = RunContext(Path(), RunSpec("", ""))
    spec = GenerateSpec(
        max_new_tokens=work.most, batch_tokens=batch_tokens, deterministic=deterministic, **work.settings
    )
    return {c.request_id: c.text for c in decoding.generate(work.model, words_of, work.requests, spec, run)}


@torch.inference_mode()
def fixed_batches(work: Work, words_of: Any, size: int, cache: str | None = None) -> dict[str, str]:
    decoder_only = not work.model.config.is_encoder_decoder
    words_of.padding_side = "left" if decoder_only else "right"
    texts: dict[str, str] = {}
    for start in range(0, len(work.requests), size):
        requests = work.requests[start : start + size]
        batch = words_of([request.prompt for request in requests], return_tensors="pt", padding=True)
        batch = batch.to(work.model.device)
        out = work.model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_new_tokens=work.most,
            do_sample=False,
            num_beams=work.settings.get("num_beams", 1),
            cache_implementation=cache,
        )
        new = out[:, batch["input_ids"].shape[1] :] if decoder_only else out
        decoded = words_of.batch_decode(new, skip_special_tokens=True)
        texts |= {request.id: text for request, text in zip(requests, decoded, strict=True)}
    return texts


def prompts(count: int, shortest: int, longest: int) -> list[Request]:
    """Draw prompts of so many words, in no order of length."""
    draw = random.Random(0)
    return [
        Request(str(number), " ".join(words(draw, draw.randint(shortest, longest))))
        for number in range(count)
    ]


def ending(model: Any, factor: float) -> Any:
    """Make the end of text likelier, so that random weights give answers of very different lengths."""
    with torch.no_grad():
        model.lm_head.weight[2] *= factor
    return model


def endless(model: Any) -> Any:
    """Make answers run to the token limit."""
    model.generation_config.eos_token_id = model.config.eos_token_id = 3
    with torch.no_grad():
        model.lm_head.weight[2:4] = -model.lm_head.weight.mean(0)
    return model


def llama() -> Any:
    """Return a Llama whose random weights are wide enough that answers differ."""
    torch.manual_seed(0)
    return LlamaForCausalLM(llama_config(initializer_range=0.15)).eval()


def t5() -> Any:
    """Return a T5 whose random weights are wide enough that answers differ."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=1024,
        d_model=128,
        d_kv=32,
        d_ff=256,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=2,
        tie_word_embeddings=False,
        initializer_factor=2.0,
    )
    return T5ForConditionalGeneration(config).eval()
