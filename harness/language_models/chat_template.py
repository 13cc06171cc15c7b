"""The chat template that a tokenizer brings, read from outside: what in it the assistant says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from harness.api import Message, UsageError

from .templates import Part
from .tools import LLAMA3_DATE, parse_tools

PROBE = "ASSAYPROBE"  # an answer that no template writes itself
REASONING = (
    ("<think>", "</think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<seed:think>", "</seed:think>"),
)


class ChatTemplate:
    """A tokenizer's own template, rendered as everyone else renders it.

    `thinking` is handed on where it is not None. A system message is put before the first question where
    the template takes none.
    """

    name = "chat"
    begins = True

    def __init__(self, tokenizer: Any, thinking: bool | None = None) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise UsageError(
                "the tokenizer has no chat template of its own",
                hint="--set model.template=none asks plainly, a name lays out as a published model expects",
            )
        self.tokenizer = tokenizer
        self.thinking = thinking

    @cached_property
    def source(self) -> str:
        """The template itself."""
        found: str = self.tokenizer.get_chat_template()
        return found

    @property
    def digest(self) -> str:
        """A short hash of the template and of its switch."""
        return hashlib.sha256(json.dumps([self.source, self.thinking]).encode()).hexdigest()[:16]

    @property
    def reasoning(self) -> tuple[str, str] | None:
        """The tags that the template knows, unless thinking is switched off."""
        known = (tags for tags in REASONING if tags[1] in self.source)
        return None if self.thinking is False else next(known, None)

    @cached_property
    def stop(self) -> str:
        """What the template writes after an answer: its first token there, or its first line."""
        whole = self._render([Message("user", "a"), Message("assistant", PROBE)], None, prompt=False)
        after = whole.partition(PROBE)[2].strip()
        tokens = [str(token) for token in self.tokenizer.get_added_vocab() if after.startswith(str(token))]
        return max(tokens, key=len, default=after.partition("\n")[0])

    def parts(self, messages: Sequence[Message], tools: str = "") -> list[Part]:
        """Render messages, cut where the assistant begins and ends to speak."""
        listed = [{"type": "function", "function": tool} for tool in parse_tools(tools)] or None
        asked = not messages or messages[-1].role != "assistant"
        whole = self._render(messages, listed, prompt=asked)
        parts: list[Part] = []
        done = 0
        for place in (n for n, message in enumerate(messages) if message.role == "assistant"):
            start = self._start(whole, messages[:place], listed)
            stop = self._stop(whole, start, messages[: place + 1], listed)
            parts += [Part(whole[done:start]), Part(whole[start:stop], learned=True)]
            done = stop
        return [*parts, Part(whole[done:])] if asked else parts

    def _start(self, whole: str, before: Sequence[Message], tools: Any) -> int:
        """Find where an answer begins: where the prompt for it ends, or as far as that agrees."""
        prompt = self._render(before, tools, prompt=True)
        agreed = _agreed(whole, prompt)
        if agreed < len(prompt) and agreed < len(self._render(before, tools, prompt=False).rstrip()):
            raise UsageError(
                "the tokenizer's chat template writes earlier turns anew when another follows, so that "
                "what the assistant said cannot be told apart",
                hint="learn from one turn a row, or name a published template in model.template",
            )
        return agreed

    def _stop(self, whole: str, start: int, spoken: Sequence[Message], tools: Any) -> int:
        """Find where an answer ends: after the mark of its end, without what only separates turns."""
        text = self._render(spoken, tools, prompt=False)
        end = len(text)
        if not whole.startswith(text):  # as where the thoughts of earlier turns are left out
            said = spoken[-1].text.strip()
            said = said if said in whole[start:] else said.rpartition("\n")[2]
            end = whole.find(said, start) + len(said)
            close = whole.find(self.stop, end) if self.stop else end
            return close + len(self.stop) if close >= 0 else end
        close = text.rfind(self.stop, start) if self.stop else -1
        return close + len(self.stop) if close >= 0 else end

    def _render(self, messages: Sequence[Message], tools: Any, *, prompt: bool) -> str:
        from jinja2 import TemplateError

        try:
            return self._applied(messages, tools, prompt)
        except TemplateError as error:
            if messages[:1] and messages[0].role == "system" and len(messages) > 1:
                return self._render(_folded(messages), tools, prompt=prompt)
            raise UsageError(f"the tokenizer's chat template refuses a conversation: {error}") from error

    def _applied(self, messages: Sequence[Message], tools: Any, prompt: bool) -> str:
        switch = {} if self.thinking is None else {"enable_thinking": self.thinking}
        rendered: str = self.tokenizer.apply_chat_template(
            [_as_dict(message) for message in messages],
            tools=tools,
            add_generation_prompt=prompt,
            tokenize=False,
            date_string=LLAMA3_DATE,  # a prompt must not change with the day
            **switch,
        )
        return rendered


def _agreed(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _folded(messages: Sequence[Message]) -> list[Message]:
    system, first, *rest = messages
    return [Message(first.role, f"{system.text}\n\n{first.text}", first.name, first.calls), *rest]


def _as_dict(message: Message) -> Mapping[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.name:
        found["name"] = message.name
    if message.calls:
        found["tool_calls"] = [{"type": "function", "function": json.loads(call)} for call in message.calls]
    return found
