"""The benchmark's model and its two tasks as a plugin, so that the whole command can be measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import (
    Checkpoint,
    Completion,
    Example,
    GenerateSpec,
    ModelEntry,
    ModelPlugin,
    ModelSession,
    PromptFormat,
    Request,
    RunContext,
    Task,
    TaskEntry,
    UsageError,
    hookimpl,
)


@hookimpl
def harness_models() -> list[ModelEntry]:
    """Offer the tiny Llama that `--checkpoint` names."""
    return [ModelEntry("bench-llama", "a tiny random Llama", f"{__name__}:Llama", stages=())]


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Offer the questions and the prompts in the folder that `--data` names."""
    return [
        TaskEntry("bench-choices", "questions with four choices", f"{__name__}:Choices", kind="choose"),
        TaskEntry("bench-prompts", "prompts to continue", f"{__name__}:Prompts"),
    ]


class Prompts(Task):
    """Continue a prompt."""

    metrics = ("exact-match",)
    prompt_format = PromptFormat("bench", "{question}")
    file = "prompts.jsonl"

    def splits(self) -> tuple[str, ...]:
        """Name the only split."""
        return ("test",)

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the rows of the file."""
        lines = (Path(self.data.source) / self.file).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            row = json.loads(line)
            yield Example(str(number), {"question": row["question"]}, (reference(row),), meta=row)


class Choices(Prompts):
    """Pick one of four continuations."""

    file = "choices.jsonl"

    def examples(self, split: str) -> Iterator[Example]:
        """Add the choices, each after a space."""
        for example in super().examples(split):
            yield replace(example, choices=tuple(f" {choice}" for choice in example.meta["choices"]))


def reference(row: dict[str, Any]) -> str:
    """Return the answer of a row, which of several choices is the one its label names."""
    return str(row["choices"][row["label"]] if "choices" in row else row["answer"])


class Llama(ModelPlugin):
    """The model of a folder, asked through the harness's decoders."""

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> ModelSession:
        """Load the folder."""
        return Loaded(*loaded(checkpoint))


class Loaded(ModelSession):
    """The model, loaded."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.loaded = model, tokenizer

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Continue prompts."""
        from harness import decoding

        yield from decoding.generate(*self.loaded, requests, spec, run)

    def choose(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Score choices."""
        from harness import decoding

        yield from decoding.choose(*self.loaded, requests, spec, run)


def loaded(checkpoint: Checkpoint | None) -> tuple[Any, Any]:
    """Load model and tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if checkpoint is None:
        raise UsageError("bench-llama has no weights of its own", hint="name a --checkpoint")
    model = AutoModelForCausalLM.from_pretrained(checkpoint.path, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(checkpoint.path)
