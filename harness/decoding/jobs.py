"""Requests as the loop sees them: encoded, cut to what the model can hold, with what was odd about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from harness.api.errors import DataError
from harness.api.example import Request

from .language_model import LanguageModel

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
    state: Any = None  # where a constraint stands


@dataclass(slots=True, eq=False)
class Job:
    """A request on its way to a completion."""

    request: Request
    prompt: Mapping[str, list[int]]
    max_new: int
    notes: tuple[str, ...] = ()
    live: list[Hypothesis] = field(default_factory=list)
    ended: list[Hypothesis] = field(default_factory=list)

    @property
    def length(self) -> int:
        """How many tokens the prompt has."""
        return len(self.prompt["input_ids"])


def prepare(
    lm: LanguageModel,
    tokenizer: Any,
    requests: Sequence[Request],
    max_new_tokens: int,
    encode: Encode | None,
) -> list[Job]:
    """Encode requests, and cut prompts that leave no room for an answer."""
    prompts: Iterable[Mapping[str, list[int]]]
    if encode is None:
        texts = [request.prompt for request in requests]
        prompts = [{"input_ids": ids} for ids in encode_texts(lm, tokenizer, texts)]
    else:
        prompts = map(encode, requests)
    return [_job(lm, *pair, max_new_tokens) for pair in zip(requests, prompts, strict=True)]


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


def _job(lm: LanguageModel, request: Request, given: Mapping[str, list[int]], max_new: int) -> Job:
    prompt = {name: list(values) for name, values in given.items() if name != "attention_mask"}
    notes: list[str] = []
    if not prompt["input_ids"]:
        prompt = {name: [0] for name in prompt} | {"input_ids": [first_token(lm, request)]}
        notes.append("empty-prompt")
    if lm.bos is not None and prompt["input_ids"][:2] == [lm.bos, lm.bos]:
        notes.append("double-bos")
    if lm.limit is not None:
        # an answer may claim up to half of what the model can hold before the prompt is cut for it
        room = lm.limit if lm.encoder_decoder else lm.limit - min(max_new, lm.limit // 2)
        if len(prompt["input_ids"]) > room:
            prompt, side = _cut(lm, prompt, room)
            notes.append(f"prompt-truncated-{side}")
        max_new = min(max_new, lm.limit - (1 if lm.encoder_decoder else len(prompt["input_ids"])))
    return Job(request, prompt, max_new, tuple(notes))


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
