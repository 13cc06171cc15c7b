"""Conversations on their way through lm-eval, which takes every context for one text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from harness.api.example import Message


def as_text(turns: Sequence[Mapping[str, str]], add_generation_prompt: bool = True) -> str:
    """Return turns as one text, which `turns_of` reads; the model lays them out itself."""
    return json.dumps([{"role": turn["role"], "content": turn["content"]} for turn in turns])


def turns_of(text: str) -> tuple[Message, ...]:
    """Return the turns that a text stands for."""
    return tuple(Message(turn["role"], turn["content"]) for turn in json.loads(text))
