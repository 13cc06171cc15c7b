"""Preferences in files: what was asked, an answer that is better, and one that is worse.

Three spellings, one object a row: `prompt`, `chosen`, `rejected` (ours, and that of trl, whose values may
be lists of messages); MedicalGPT's `conversations`, `chosen`, `rejected`; and its earlier `question`,
`response_chosen`, `response_rejected`. `margin` says by how much the first is better, `system` what
stands before everything. A row that names neither answer is a prompt alone, for stages that sample their
answers; `answer` may then be what is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from harness import Message

from .conversations import KEYS, read_turn, read_turns, tools_of
from .json_items import read_items
from .text_lines import Fault, shown

ASKED = ("prompt", "question", *KEYS)
CHOSEN = ("chosen", "response_chosen")
REJECTED = ("rejected", "response_rejected")


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """A row of a file: the turns up to the question, and two answers of which the first is better.

    `inputs` are what a task knows of the question, for models that mark kinds of text in it. Of a prompt
    alone there is no worse answer, and a better one only where the row knows what is right.
    """

    turns: tuple[Message, ...]
    chosen: str
    rejected: str
    margin: float | None = None
    tools: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)


def read_preferences(path: Path) -> Iterator[tuple[int, PreferenceRow | Fault]]:
    """Yield each row of a JSON array or of JSON lines with the line it stands on."""
    for item in read_items(path):
        yield item.line, item.fault or _row(item.value)


def _row(value: Mapping[str, Any]) -> PreferenceRow | Fault:
    turns = _turns(value)
    alone = not any(name in value for name in (*CHOSEN, *REJECTED))
    answers = (
        [value.get("answer", ""), ""] if alone else [_answer(value, names) for names in (CHOSEN, REJECTED)]
    )
    margin = value.get("margin")
    for part in (turns, *answers):
        if isinstance(part, Fault):
            return part
    chosen, rejected = answers
    if not isinstance(chosen, str):
        return Fault("answer", "a text as 'answer'", shown(repr(chosen)))
    if chosen == rejected and not alone:
        return Fault("tie", "two different answers", f"{shown(repr(chosen))} twice")
    if margin is not None and not (isinstance(margin, int | float) and isfinite(margin)):
        return Fault("margin", "a margin that is a number", shown(repr(margin)))
    inputs = value.get("inputs") or {}
    if not (isinstance(inputs, dict) and all(isinstance(text, str) for text in inputs.values())):
        return Fault("inputs", "inputs that are texts by name", shown(repr(inputs)))
    return PreferenceRow(turns, chosen, rejected, margin, tools_of(value), inputs)  # type: ignore[arg-type]


def _turns(value: Mapping[str, Any]) -> tuple[Message, ...] | Fault:
    """Return what was said before the answers, which ends with what the user asks."""
    asked = value.get("prompt", value.get("question"))
    if isinstance(asked, list):
        turns = read_turns({"messages": asked, "system": value.get("system")})
    elif isinstance(asked, str):
        turns = read_turns({"messages": [{"role": "user", "content": asked}], "system": value.get("system")})
    else:
        turns = read_turns(value)
    if isinstance(turns, Fault):
        return turns
    if not turns or turns[-1].role not in ("user", "tool") or not turns[-1].text:
        return Fault("question", f"a question under {' or '.join(ASKED[:3])}", "none before the answers")
    return turns


def _answer(value: Mapping[str, Any], names: tuple[str, ...]) -> str | Fault:
    found = next((value[name] for name in names if name in value), None)
    if isinstance(found, list) and found:  # the whole conversation again, whose last turn differs
        last = read_turn(found[-1])
        found = last.text if isinstance(last, Message) and last.role == "assistant" else None
    if not isinstance(found, str) or not found:
        return Fault("answer", f"an answer under '{names[0]}'", shown(repr(found)))
    return found
