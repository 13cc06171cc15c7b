"""Files that teach answers, in the spellings that training sets use, as conversations.

Turns under `conversations` or `messages` (ShareGPT, MedicalGPT, OpenAI); `instruction`, `input`, `output`
(Alpaca, with `history` where there is one); a question with its answer under one of several pairs of names,
and Mozi's, which has `evidence` too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import Message

from .conversations import KEYS, read_turns, tools_of
from .json_items import read_items
from .text_lines import Fault, shown

PAIRS = (
    ("question", "answer"),
    ("问", "答"),
    ("query", "response"),
    ("prompt", "completion"),
    ("prompt", "response"),
)


@dataclass(frozen=True, slots=True)
class Taught:
    """A conversation that ends with the assistant; `evidence` is what Mozi's rows show before a question."""

    turns: tuple[Message, ...]
    tools: str = ""
    evidence: str = ""


def read_instructions(path: Path) -> Iterator[tuple[int, Taught | Fault]]:
    """Yield each row of a JSON array or of JSON lines with the line it stands on."""
    for item in read_items(path):
        yield item.line, item.fault or taught(item.value)


def taught(row: Mapping[str, Any]) -> Taught | Fault:
    """Return what a row teaches, or why it teaches nothing."""
    if any(key in row for key in KEYS):
        found = read_turns(row)
    elif "instruction" in row:
        found = _instruction(row)
    else:
        found = _pair(row)
    if isinstance(found, Fault):
        return found
    tools, evidence = tools_of(row), row.get("evidence") or ""
    if not isinstance(evidence, str):
        return Fault("text", "evidence that is a text", shown(repr(evidence)))
    return _fault_of(found, tools) or Taught(found, tools, evidence)


def _instruction(row: Mapping[str, Any]) -> tuple[Message, ...] | Fault:
    asked = [row.get(name) or "" for name in ("instruction", "input", "context")]
    answer = row.get("output", row.get("response"))
    history = row.get("history") or []
    if not all(isinstance(part, str) for part in (*asked, answer)):
        return Fault("text", "texts under 'instruction', 'input' and 'output'", shown(repr(dict(row))))
    if not all(isinstance(pair, list) and [type(part) for part in pair] == [str, str] for pair in history):
        return Fault("history", "a list of questions with answers", shown(repr(history)))
    before = [
        Message(role, text)
        for pair in history
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    turns = (*before, Message("user", "\n".join(filter(None, asked))), Message("assistant", str(answer)))
    return (*_system(row), *turns)


def _pair(row: Mapping[str, Any]) -> tuple[Message, ...] | Fault:
    names = next((pair for pair in PAIRS if all(name in row for name in pair)), None)
    if names is None:
        wanted = f"'{KEYS[0]}', 'instruction' with 'output', or 'question' with 'answer'"
        return Fault("keys", wanted, f"the keys {', '.join(row)}")
    question, answer = (row[name] for name in names)
    if not (isinstance(question, str) and isinstance(answer, str)):
        return Fault("text", f"texts under '{names[0]}' and '{names[1]}'", shown(repr([question, answer])))
    return (*_system(row), Message("user", question), Message("assistant", answer))


def _system(row: Mapping[str, Any]) -> tuple[Message, ...]:
    system = row.get("system")
    return (Message("system", system),) if isinstance(system, str) and system else ()


def _fault_of(turns: tuple[Message, ...], tools: str) -> Fault | None:
    """Return what makes turns useless to learn from: nobody asks, nobody answers, or nothing is said."""
    spoken = [turn for turn in turns if turn.role != "system"]
    if not spoken or spoken[0].role != "user":
        return Fault("order", "a user who speaks first", f"{spoken[0].role}" if spoken else "nobody")
    if spoken[-1].role != "assistant":
        return Fault("answer", "the assistant's answer at the end", f"a turn of {spoken[-1].role}")
    for turn in turns:
        if not turn.text.strip() and not turn.calls:
            return Fault("empty", "a turn that says something", f"an empty one of {turn.role}")
        for call in turn.calls:
            if not _is_call(call):
                return Fault("call", 'a call as {"name": …, "arguments": …}', shown(call))
    return None if _are_tools(tools) else Fault("tools", "a JSON list of tools with names", shown(tools))


def _is_call(text: str) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and isinstance(found.get("name"), str) and "arguments" in found


def _are_tools(text: str) -> bool:
    try:
        found = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return False
    listed = found if isinstance(found, list) else [found]
    plain = [tool.get("function", tool) if isinstance(tool, dict) else tool for tool in listed]
    return all(isinstance(tool, dict) and isinstance(tool.get("name"), str) for tool in plain)
