"""Requests as the loop sees them: encoded, cut to what the model can hold, with what was odd about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import torch

from harness.api.errors import DataError
from harness.api.example import Request
from harness.api.session import Fit, PromptTooLong, TokenLog

from .language_model import LanguageModel

if TYPE_CHECKING:
    from .manner import Manner
    from .rows import Beginning

Encode = Callable[[Request], Mapping[str, list[int]]]
Decode = Callable[[Sequence[int]], str]


@dataclass(slots=True, eq=False)
class Hypothesis:
    """One text in the making: a row of the batch while it grows, an answer when it has ended."""

    job: Job
    tokens: list[int] = field(default_factory=list)
    score: float = 0.0
    finish: str = ""
    random: Random | None = None
    twins: list[Hypothesis] = field(default_factory=list)  # that are the same so far, and share its row
    state: Any = None  # where a constraint stands
    proposed: tuple[list[int], torch.Tensor] | None = None  # candidates that stand on its rows, with shares


@dataclass(slots=True, eq=False)
class Job:
    """A request on its way to a completion."""

    request: Request
    prompt: Mapping[str, list[int]]
    manner: Manner
    max_new: int
    notes: tuple[str, ...] = ()
    live: list[Hypothesis] = field(default_factory=list)
    ended: list[Hypothesis] = field(default_factory=list)
    adapter: str = ""  # of the model's, by name
    beginning: Beginning | None = None  # what was read of its prompt before
    awaited: bool = False  # whether others wait for what it reads
    overtaken: int = 0  # by how many that came later
    logs: int | None = None  # so many of the likeliest tokens are told with each token's log-probability
    echo: bool = False  # and those of the prompt as well
    answer_logs: list[TokenLog] = field(default_factory=list)
    prompt_logs: list[TokenLog] = field(default_factory=list)

    @property
    def kind(self) -> tuple[str, bool]:
        """What requests that share a batch have in common."""
        return self.adapter, self.manner.search.keep_hidden

    @property
    def length(self) -> int:
        """How many tokens the prompt has."""
        return len(self.prompt["input_ids"])

    @property
    def planned(self) -> int:
        """How many tokens a row of it may come to hold."""
        return self.length + self.max_new

    @property
    def echoes(self) -> bool:
        """Whether its prompt's log-probabilities are noted when it is read, as they are the first time."""
        return self.echo and not self.step

    @property
    def step(self) -> int:
        """How many tokens it has said."""
        return len(self.live[0].tokens) if self.live else 0


def encoded(
    lm: LanguageModel, tokenizer: Any, requests: Sequence[Request], encode: Encode | None
) -> list[Mapping[str, list[int]]]:
    """Encode the prompts of requests."""
    if encode is not None:
        return [encode(request) for request in requests]
    rows = encode_texts(lm, tokenizer, [request.prompt for request in requests])
    return [{"input_ids": ids} for ids in rows]


def encode_texts(lm: LanguageModel, tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Tokenize texts as prompts; a decoder-only model must not read an end of text before it answers."""
    if not texts:
        return []
    rows: list[list[int]] = [list(ids) for ids in tokenizer(list(texts))["input_ids"]]
    if not lm.encoder_decoder:
        for ids in rows:
            if len(ids) > 1 and ids[-1] in lm.eos:
                ids.pop()
    return rows


def default_decode(tokenizer: Any) -> Decode:
    """Return a decoder of tokens that neither shows special tokens nor tidies spaces."""

    def decode(tokens: Sequence[int]) -> str:
        text: str = tokenizer.decode(
            list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    return decode


def prepare(
    lm: LanguageModel,
    request: Request,
    given: Mapping[str, list[int]],
    manner: Manner,
    fit: Fit = "cut",
) -> Job:
    """Make a job of a request and its encoded prompt.

    Where the model cannot hold prompt and answer, `fit` says what gives way: the prompt is cut, the answer
    shortened, or the request refused.
    """
    prompt = {name: list(values) for name, values in given.items() if name != "attention_mask"}
    max_new = manner.spec.max_new_tokens
    notes: list[str] = []
    if not prompt["input_ids"]:
        prompt = {name: [0] for name in prompt} | {"input_ids": [first_token(lm, request)]}
        notes.append("empty-prompt")
    if lm.bos is not None and prompt["input_ids"][:2] == [lm.bos, lm.bos]:
        notes.append("double-bos")
    if lm.limit is not None:
        # an answer may claim up to half of what the model can hold before the prompt is cut for it
        claim = {"cut": min(max_new, lm.limit // 2), "shorten": 1, "refuse": max_new}[fit]
        room = lm.limit if lm.encoder_decoder else lm.limit - claim
        if len(prompt["input_ids"]) > room:
            if fit != "cut":
                raise _too_long(lm.limit, len(prompt["input_ids"]), 0 if lm.encoder_decoder else claim)
            prompt, side = _cut(lm, prompt, room)
            notes.append(f"prompt-truncated-{side}")
        max_new = min(max_new, lm.limit - (1 if lm.encoder_decoder else len(prompt["input_ids"])))
    job = Job(request, prompt, manner, max_new, tuple(notes), adapter=lm.own_adapter)
    job.live.append(Hypothesis(job))
    return job


def _too_long(limit: int, prompt: int, answer: int) -> PromptTooLong:
    asked = f" and asks for {answer} more" if answer else ""
    return PromptTooLong(
        f"the prompt has {prompt} tokens{asked}, the model holds {limit}",
        hint="shorten the prompt, or ask for fewer tokens",
    )


def first_token(lm: LanguageModel, request: Request) -> int:
    """Return the token that a text starts with which has no other."""
    if lm.bos is not None:
        return lm.bos
    if lm.eos:
        return min(lm.eos)
    raise DataError(
        f"request '{request.id}' has an empty prompt and the model has no token to start a text with",
        hint="give it a prompt, or a tokenizer with a bos or eos token",
    )


def _cut(lm: LanguageModel, prompt: Mapping[str, list[int]], room: int) -> tuple[dict[str, list[int]], str]:
    if not lm.encoder_decoder:
        return {name: values[-room:] for name, values in prompt.items()}, "left"
    last = prompt["input_ids"][-1]
    cut = {name: values[:room] for name, values in prompt.items()}
    if last in lm.eos:
        cut["input_ids"][-1] = last
    return cut, "right"
