"""Tiny real models, rows and run contexts for training."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness import Preference, RunContext, RunSpec, TrainPair

OFFSET = 90


def encode_causal(row: TrainPair) -> Mapping[str, list[int]]:
    """One token a letter, prompt masked."""
    prompt = [1] + [ord(letter) - OFFSET for letter in row.prompt]
    target = [ord(letter) - OFFSET for letter in row.target] + [2]
    return {"input_ids": prompt + target, "labels": [-100] * len(prompt) + target}


def encode_seq2seq(row: TrainPair) -> Mapping[str, list[int]]:
    return {
        "input_ids": [ord(letter) - OFFSET for letter in row.prompt] + [1],
        "labels": [ord(letter) - OFFSET for letter in row.target] + [1],
    }


def pairs(count: int, seed: int = 0, longest: int = 20) -> list[TrainPair]:
    draw = random.Random(seed)
    return [
        TrainPair(
            "".join(draw.choices("abcdef", k=draw.randint(3, longest))),
            "".join(draw.choices("xyz", k=draw.randint(3, 12))),
        )
        for _ in range(count)
    ]


def preferences(count: int, seed: int = 0) -> list[Preference]:
    """A rule that can be learned: the better answer has no z."""
    rows = zip(pairs(count, seed), pairs(count, seed + 100), strict=True)
    return [
        Preference(one.prompt, one.target.replace("z", "x"), other.target.replace("x", "z") + "z")
        for one, other in rows
    ]


def llama(**changes: Any) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = {
        "vocab_size": 48,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    return LlamaForCausalLM(LlamaConfig(**(config | changes)))


def t5(**changes: Any) -> Any:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    config = {
        "vocab_size": 48,
        "d_model": 32,
        "d_kv": 16,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 2,
        "decoder_start_token_id": 0,
    }
    return T5ForConditionalGeneration(T5Config(**(config | changes)))


class Events(list[tuple[str, dict[str, Any]]]):
    """Collects the events of a run."""

    def __call__(self, kind: str, /, **facts: Any) -> None:
        self.append((kind, facts))

    def last(self, kind: str) -> dict[str, Any]:
        return next(facts for name, facts in reversed(self) if name == kind)


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def make_run(tmp_path: Path, events: Events) -> Callable[..., RunContext]:
    def make(name: str = "run", **changes: Any) -> RunContext:
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        return RunContext(directory, RunSpec("tiny", "letters", device="cpu"), event=events, **changes)

    return make
