"""Conversations as the exact text a model reads: one object for training, evaluation, chat and serving.

A template turns messages into parts and says which of them the model learns to say: what the assistant
said, with the end of its turn. Rendering ends where the answer begins, unless the assistant spoke last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, NamedTuple, Protocol

from harness.api import DataError, Message, Request, TrainPair, UsageError, nearest

from .tools import parse_tools, tool_format

EOS = "</s>"  # in a template: the end of text of whatever tokenizer it is used with


class Part(NamedTuple):
    """A piece of a rendered conversation, and whether the model learns to say it."""

    text: str
    learned: bool = False


class Template(Protocol):
    """How a conversation is written down."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def digest(self) -> str:
        """A short hash of all that decides how it renders."""
        ...

    @property
    def stop(self) -> str:
        """What ends the assistant's turn; empty: the tokenizer's end of text."""
        ...

    @property
    def reasoning(self) -> tuple[str, str] | None:
        """The tags between which the model thinks aloud, where it is known to."""
        ...

    @property
    def begins(self) -> bool:
        """Whether the template itself writes the token that begins a sequence."""
        ...

    def parts(self, messages: Sequence[Message], tools: str = "", /) -> list[Part]:
        """Render messages; `tools` is a JSON list of what the assistant may call."""
        ...


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A published template: a system prompt, then `sep`, then `prompt` and answer, and `sep` between turns.

    `system` is laid around a system message; `default_system` is the message where there is none. An
    answer ends with `end`, which is `stop` unless it is said to be another; a `sep` that begins with it
    stands for both. `joint` stands between prompt and answer where neither has white space there. `tools`
    is the name of the format in which tools are described and called.
    """

    name: str
    prompt: str
    sep: str
    default_system: str = ""
    system: str = "{system}"
    stop: str = ""
    end: str = ""
    joint: str = ""
    tools: str = "default"
    reasoning: tuple[str, str] | None = None
    eos: str = EOS

    begins = False

    @property
    def digest(self) -> str:
        """A short hash of everything but the name."""
        return _hash(astuple(self)[1:])

    def parts(self, messages: Sequence[Message], tools: str = "") -> list[Part]:
        """Render messages; several of one speaker in a row become one, on lines of their own."""
        parts: list[Part] = []
        lead = self._system(messages, tools)
        for role, text in _turns(self._spoken(messages)):
            if role == "assistant":
                if not parts or parts[-1].learned:
                    raise DataError("a conversation begins with the assistant", hint="a user speaks first")
                parts.append(Part(self.between(parts[-1].text, text) + text + self._end, learned=True))
                lead = self._between
            else:
                parts.append(Part(lead + self.prompt.replace("{query}", text)))
        if not parts:
            raise DataError("a conversation has no turn of a user")
        return parts

    def between(self, prompt: str, answer: str) -> str:
        """Return what stands between a prompt and the answer to it."""
        apart = not prompt or prompt[-1].isspace() or answer[:1].isspace()
        return "" if apart else self.joint

    @property
    def _end(self) -> str:
        return (self.end or self.stop or EOS).replace(EOS, self.eos)

    @property
    def _between(self) -> str:
        return self.sep.replace(EOS, self.eos).removeprefix(self._end)

    def _system(self, messages: Sequence[Message], tools: str) -> str:
        text = "\n\n".join(message.text for message in messages if message.role == "system")
        text = text or self.default_system
        if tools and (listed := parse_tools(tools)):
            described = tool_format(self.tools).describe(listed)
            text += described if described[:1] == "\n" or not text else "\n\n" + described
        return self.system.replace("{system}", text) + self.sep.replace(EOS, self.eos) if text else ""

    def _spoken(self, messages: Iterable[Message]) -> Iterable[tuple[str, str]]:
        written = tool_format(self.tools)
        for message in messages:
            if message.role == "assistant":
                called = [written.call(message.calls)] if message.calls else []
                yield message.role, "\n".join([*([message.text] if message.text else []), *called])
            elif message.role == "tool":
                yield "user", written.result(message.text)
            elif message.role != "system":
                yield "user", message.text


def _turns(spoken: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    turns: list[tuple[str, str]] = []
    for role, text in spoken:
        if turns and turns[-1][0] == role:
            text = f"{turns.pop()[1]}\n{text}"
        turns.append((role, text))
    return turns


PLAIN = PromptTemplate("none", "{query}", sep="", joint=" ")


def conversation(row: Request | TrainPair) -> tuple[Message, ...]:
    """Return a request or a pair as messages: the turns before, the prompt as the user's, and the answer."""
    if isinstance(row, TrainPair):
        return Message("user", row.prompt), Message("assistant", row.target)
    if row.messages and not row.prompt:
        return row.messages
    return *row.messages, Message("user", row.prompt)


def text_of(template: Template, messages: Sequence[Message], tools: str = "") -> str:
    """Return the whole text of a conversation."""
    return "".join(part.text for part in template.parts(messages, tools))


def template_names(tokenizer: Any) -> tuple[str, ...]:
    """Name the templates that a tokenizer can be used with."""
    from .published_templates import PUBLISHED  # which stands on this module

    own = ("chat",) if getattr(tokenizer, "chat_template", None) else ()
    return (*own, "none", *PUBLISHED)


def template_for(name: str, tokenizer: Any, *, tools: str = "", thinking: bool | None = None) -> Template:
    """Return a template for a tokenizer: `none`, its own (`chat`), that if it has one (`auto`), or by name.

    `tools` names another format for tools than the template's own; `thinking` switches reasoning where
    the tokenizer's own template knows the switch.
    """
    from .chat_template import ChatTemplate  # which stands on this module
    from .published_templates import PUBLISHED

    has = bool(getattr(tokenizer, "chat_template", None))
    if name == "chat" or (name == "auto" and has):
        if tools:
            raise UsageError("the tokenizer's own chat template has its own way of writing tools")
        return ChatTemplate(tokenizer, thinking)
    if thinking is not None:
        raise UsageError(
            "only the tokenizer's own chat template can switch thinking on or off",
            hint="--set model.template=chat",
        )
    known = {"none": PLAIN, "auto": PLAIN, **PUBLISHED}
    if name not in known:
        raise UsageError(f"no template named '{name}'", hint=nearest(name, [*known, "chat"]))
    found = known[name]
    if tools:
        tool_format(tools)
    # A model without an end of text never says one.
    return replace(found, tools=tools or found.tools, eos=getattr(tokenizer, "eos_token", None) or "")


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()[:16]
