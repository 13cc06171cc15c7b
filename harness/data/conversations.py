"""Turns of a conversation in the spellings that training sets use, as messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness import Message

from .text_lines import Fault, shown

KEYS = ("conversations", "conversation", "messages")
ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "function_call": "assistant",
    "system": "system",
    "observation": "tool",
    "tool": "tool",
}


def read_turns(row: Mapping[str, Any]) -> tuple[Message, ...] | Fault:
    """Return the turns of a row, its system prompt first; `from` and `value`, or `role` and `content`."""
    found = [row[key] for key in KEYS if key in row]
    if len(found) != 1 or not isinstance(found[0], list):
        return Fault("keys", f"a list of turns under '{KEYS[0]}'", f"the keys {', '.join(row)}")
    turns = [read_turn(turn) for turn in found[0]]
    faults = [turn for turn in turns if isinstance(turn, Fault)]
    if faults:
        return faults[0]
    system = row.get("system_prompt") or row.get("system")
    before = (Message("system", system),) if isinstance(system, str) and system else ()
    return (*before, *(turn for turn in turns if isinstance(turn, Message)))


def read_turn(turn: Any) -> Message | Fault:
    """Return one turn; a call of a function is the assistant's."""
    if not isinstance(turn, dict):
        return Fault("turn", "a turn as an object", shown(repr(turn)))
    speaker, text = turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))
    if speaker not in ROLES:
        return Fault("speaker", "a turn of " + ", ".join(ROLES), f"one of {shown(repr(speaker))}")
    called = turn.get("tool_calls") or []
    if not isinstance(text, str) and not (text is None and called):
        return Fault("turn", "a turn with a text", shown(repr(turn)))
    if speaker == "function_call":
        return Message("assistant", "", calls=(str(text),))
    if not isinstance(called, list) or not all(isinstance(call, dict) for call in called):
        return Fault("call", "a list of calls", shown(repr(called)))
    calls = tuple(json.dumps(call.get("function", call), ensure_ascii=False) for call in called)
    return Message(ROLES[speaker], text or "", calls=calls)


def tools_of(row: Mapping[str, Any]) -> str:
    """Return the tools that a row describes, as JSON."""
    tools = row.get("tools") or ""
    return tools if isinstance(tools, str) else json.dumps(tools, ensure_ascii=False)
