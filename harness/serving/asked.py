"""What a body asks for, as requests and specifications of the harness."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.api.example import Message, Request
from harness.api.spec import GenerateSpec

from .problems import Refused
from .wire import ChatMessage, ChatRequest, Settings

ROLES = {"developer": "system"}  # OpenAI's newer word


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take, and how many there may be."""

    body: int = 2 * 2**20  # bytes
    paper: int = 32 * 2**20  # bytes of a paper
    prompt: int = 32_768  # tokens
    output: int = 4096  # tokens of all its answers together
    choices: int = 16
    candidates: int = 64  # texts that are tried beside one answer
    seconds: float = 600
    waiting: int = 256
    connections: int = 1024
    header_seconds: float = 20
    grace_seconds: float = 30


def spec_of(asked: Settings, default: GenerateSpec, tokens: int | None, limits: Limits) -> GenerateSpec:
    """Return how an answer is decoded: as the server was told, but for what the body says."""
    most = default.max_new_tokens if tokens is None else tokens
    if most * (asked.n or 1) > limits.output:
        raise Refused(
            f"{most * (asked.n or 1)} tokens are asked for, this server gives {limits.output}",
            param="max_tokens",
        )
    spec = replace(default, max_new_tokens=max(1, most), n_best=1, **_decoder(asked, default))
    given = {
        name: value
        for name in (
            "top_k",
            "top_p",
            "min_p",
            "repetition_penalty",
            "penalty_alpha",
            "num_beams",
            "constraint",
        )
        if (value := getattr(asked, name)) is not None
    }
    if asked.stop is not None:
        given["stop"] = (asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop)
    seed = asked.seed if asked.seed is not None else secrets.randbits(31)
    shortest = min(default.min_new_tokens, spec.max_new_tokens)
    return checked(replace(spec, seed=seed, min_new_tokens=shortest, **given), limits)


def checked(spec: GenerateSpec, limits: Limits) -> GenerateSpec:
    """Return how an answer is decoded, where that takes no more rows than one request may."""
    if spec.decoder == "contrastive" and spec.top_k > limits.candidates:
        raise Refused(f"contrastive search compares {limits.candidates} tokens here at most", param="top_k")
    return spec


def _decoder(asked: Settings, default: GenerateSpec) -> dict[str, Any]:
    """Return the decoder that is meant: a temperature or a top_p asks for sampling, none of it for greedy."""
    beams = 1 if asked.num_beams is None else asked.num_beams
    if asked.decoder is not None:
        drawn = {} if not asked.temperature else {"temperature": asked.temperature}
        if asked.temperature is not None and (asked.decoder != "sampling" or not asked.temperature):
            raise Refused(f"decoder '{asked.decoder}' takes no such temperature", param="temperature")
        kept = default.num_beams if asked.decoder == "beam" and asked.num_beams is None else beams
        return {"decoder": asked.decoder, "num_beams": kept, **drawn}
    if asked.temperature == 0:
        return {"decoder": "greedy", "num_beams": beams}
    if asked.temperature is not None:
        return {"decoder": "sampling", "num_beams": 1, "temperature": asked.temperature}
    if asked.top_p is not None and asked.top_p < 1:
        return {"decoder": "sampling", "num_beams": 1}
    return {}


def request_of(number: int, messages: Sequence[ChatMessage]) -> Request:
    """Return a conversation as a request; the last turn is the user's."""
    turns = [Message(ROLES.get(message.role, message.role), message.said) for message in messages]
    if turns[-1].role != "user":
        raise Refused("the last message is not the user's", param="messages")
    return Request(str(number), turns[-1].text, messages=tuple(turns[:-1]))


def most_tokens(asked: ChatRequest) -> int | None:
    """Return the limit of new tokens, which has two names."""
    given = {asked.max_tokens, asked.max_completion_tokens} - {None}
    if len(given) > 1:
        raise Refused("max_tokens and max_completion_tokens differ", param="max_tokens")
    return next(iter(given), None)
