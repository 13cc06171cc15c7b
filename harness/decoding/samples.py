"""Answers with their tokens, several to a request: for a model that learns from what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from harness.api.example import Request
from harness.api.spec import GenerateSpec

from .engine import Engine
from .jobs import Decode, Encode


class Sample(NamedTuple):
    """One answer: the prompt as it was read, the tokens said after it with their end, and the text."""

    request: Request
    prompt: Mapping[str, Sequence[int]]
    tokens: tuple[int, ...]
    text: str
    finish: str


def sample(
    model: Any,
    tokenizer: Any,
    requests: Sequence[Request],
    spec: GenerateSpec,
    *,
    encode: Encode | None = None,
    decode: Decode | None = None,
) -> Iterator[list[Sample]]:
    """Yield the answers to each request as they end: `n_best` of them, whose prompt is read once."""
    engine = Engine(model, tokenizer, spec, encode=encode, decode=decode, interactive=False)
    engine.submit_all(requests, engine.manner(spec))
    with engine.lm.evaluating():
        while engine.busy:
            for stream in engine.step():
                stream.result()
                yield [
                    Sample(
                        stream.job.request,
                        stream.job.prompt,
                        tuple(text.tokens),
                        stream.job.manner.ending.text(text),
                        text.finish,
                    )
                    for text in stream.job.ended
                ]
