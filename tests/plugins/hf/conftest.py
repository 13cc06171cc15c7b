"""Folders with tiny models of any architecture, and what a plugin needs to be trained and asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import GenerateSpec, RunContext, RunSpec, TrainData, TrainPair, TrainSpec

from .architectures import made

WORDS = ("water", "salt", "acid", "base", "metal", "glass", "sugar", "alcohol")
PAIRS = [TrainPair(f"what is {word} {n}?", f" {word[::-1]}") for word in WORDS for n in range(4)]


@pytest.fixture
def folder(tmp_path: Path, chat_tokenizer: Callable[..., Any]) -> Callable[..., Path]:
    """Return a function that saves a tiny model with its tokenizer."""

    def save(name: str = "llama", *, place: str = "", **special: Any) -> Path:
        path = tmp_path / (place or name)
        made(name).save_pretrained(path)
        chat_tokenizer(**special).save_pretrained(path)
        return path

    return save


@pytest.fixture
def events() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def run(tmp_path: Path, events: list[tuple[str, dict[str, Any]]]) -> Callable[..., RunContext]:
    """Return a function that makes the context of a run, in a folder of its own."""

    def make(place: str = "run", **generate: Any) -> RunContext:
        def event(kind: str, /, **facts: Any) -> None:
            events.append((kind, facts))

        directory = tmp_path / place
        directory.mkdir(exist_ok=True)
        spec = RunSpec("hf", "none", generate=GenerateSpec(**{"max_new_tokens": 12} | generate))
        return RunContext(directory, spec, event=event)

    return make


@pytest.fixture
def data() -> TrainData:
    return TrainData(PAIRS, PAIRS[:4], "pairs")


@pytest.fixture
def training() -> Callable[..., TrainSpec]:
    """Return a function that makes the spec of a few steps."""

    def make(**changes: Any) -> TrainSpec:
        steps = {"max_steps": 6, "learning_rate": 3e-3, "batch_size": 8, "max_length": 64}
        return TrainSpec(**{**steps, "precision": "fp32", "lora_r": 4, **changes})

    return make
