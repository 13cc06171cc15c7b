"""Tiny real models whose weights are wide enough that different prompts get different answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import ByT5Tokenizer, LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from harness import Completion, GenerateSpec, Request, RunContext, RunSpec, decoding


@pytest.fixture(scope="session")
def tokenizer() -> ByT5Tokenizer:
    return ByT5Tokenizer()


def llama_config(**changes: Any) -> LlamaConfig:
    return LlamaConfig(
        **{
            "vocab_size": 384,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 256,
            "initializer_range": 0.3,
            "pad_token_id": 0,
            "bos_token_id": None,
            "eos_token_id": 1,
        }
        | changes
    )


def often_ending(head: torch.nn.Linear, factor: float) -> None:
    """Make the end of text likely, so that answers have very different lengths."""
    with torch.no_grad():
        head.weight[1] *= factor


def make_llama(**sizes: Any) -> LlamaForCausalLM:
    torch.manual_seed(0)
    model = LlamaForCausalLM(llama_config(**sizes)).eval()
    often_ending(model.lm_head, 3.0)
    return model


def make_t5(**sizes: Any) -> T5ForConditionalGeneration:
    torch.manual_seed(0)
    config = {
        "vocab_size": 384,
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 4,
        "decoder_start_token_id": 0,
        "tie_word_embeddings": False,
        "initializer_factor": 2.0,
    }
    model = T5ForConditionalGeneration(T5Config(**(config | sizes))).eval()
    often_ending(model.lm_head, 6.0)
    return model


@pytest.fixture(scope="session")
def llama() -> LlamaForCausalLM:
    return make_llama()


@pytest.fixture(scope="session")
def t5() -> T5ForConditionalGeneration:
    return make_t5()


@pytest.fixture(params=["llama", "t5"])
def model(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def events() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def run(tmp_path: Path, events: list[tuple[str, dict[str, Any]]]) -> RunContext:
    def event(kind: str, /, **facts: Any) -> None:
        events.append((kind, facts))

    return RunContext(tmp_path, RunSpec("tiny", "none"), event=event)


def requests_of(count: int, longest: int = 40, seed: int = 0) -> list[Request]:
    draw = random.Random(seed)
    return [
        Request(f"r{number}", "".join(draw.choices("abcdef (=)CNO", k=draw.randint(1, longest))))
        for number in range(count)
    ]


Answer = Callable[..., dict[str, Completion]]


@pytest.fixture
def answer(run: RunContext, tokenizer: ByT5Tokenizer) -> Iterator[Answer]:
    """Return a function that generates with a model and returns completions by request id."""

    def ask(model: Any, requests: Sequence[Request], **settings: Any) -> dict[str, Completion]:
        spec = GenerateSpec(**{"max_new_tokens": 24} | settings)
        found = list(decoding.generate(model, tokenizer, requests, spec, run))
        assert len(found) == len(requests)
        return {completion.request_id: completion for completion in found}

    yield ask
