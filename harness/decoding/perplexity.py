"""Perplexity of long texts, read in windows that overlap so that every token is predicted with context."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from harness.api.errors import DataError, UsageError
from harness.api.example import Completion, Request
from harness.api.run import RunContext
from harness.api.spec import GenerateSpec

from .budget import Budget, in_batches
from .jobs import first_token
from .language_model import LanguageModel

DEFAULT_WINDOW = 1024  # where the model itself names no limit


@dataclass(frozen=True, slots=True)
class Perplexity:
    """How well texts are predicted: `value` is e to the mean negative log-likelihood of a token."""

    value: float
    tokens: int
    negative_log_likelihood: float
    windows: int


def perplexity(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    *,
    window: int | None = None,
    stride: int | None = None,
    batch_tokens: str = "auto",
) -> Perplexity:
    """Return the perplexity of texts under a decoder-only model.

    Each text is read in windows of `window` tokens (the model's limit), each starting `stride` tokens
    (half a window) after the last; a token is counted in the first window that holds it, so all but a
    text's first tokens are predicted with at least window - stride tokens of context. A text's very
    first token is never counted.
    """
    lm = _decoder_only(model, tokenizer)
    width, step = _sizes(lm, window or 0, stride or 0)
    encoded = (list(ids) for ids in tokenizer(list(texts))["input_ids"])
    windows = [Window(*part) for ids in encoded for part in strided(ids, width, step)]
    if not windows:
        raise DataError("no text has two tokens, so there is nothing to predict")
    budget = Budget(GenerateSpec(batch_tokens=batch_tokens), lm.device, one_pass=True)
    with lm.evaluating():
        total = -math.fsum(value for _, value in _read(lm, windows, budget))
    count = sum(window.new for window in windows)
    return Perplexity(math.exp(total / count), count, total, len(windows))


def log_likelihoods(
    model: Any, tokenizer: Any, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
) -> Iterator[Completion]:
    """Yield for each request the log-likelihood of its prompt, read as `perplexity` reads texts.

    The text of an exact request is counted from its very first token on, behind the one that begins a text,
    and a window predicts as many tokens as the model holds: as other harnesses read running text.
    """
    lm = _decoder_only(model, tokenizer)
    width, step = _sizes(lm, spec.window, spec.stride)
    windows: list[Window] = []
    for request in requests:
        if request.exact:
            ids = [
                first_token(lm, request),
                *tokenizer(request.prompt, add_special_tokens=False)["input_ids"],
            ]
            parts = strided(ids, width + 1, width)
        else:
            parts = strided(list(tokenizer(request.prompt)["input_ids"]), width, step)
        if not parts:
            raise DataError(f"request '{request.id}' has a text of less than two tokens: nothing to predict")
        windows += [Window(*part, request.id) for part in parts]
    sums: dict[str, list[float]] = {request.id: [] for request in requests}
    parts_of = Counter(window.owner for window in windows)
    tokens: Counter[str] = Counter()
    for window in windows:
        tokens[window.owner] += window.new
    budget = Budget(spec, lm.device, one_pass=True)
    run.progress.start("reading", total=len(requests), unit="requests")
    try:
        with lm.evaluating():
            for owner, value in _read(lm, windows, budget):
                sums[owner].append(value)
                if len(sums[owner]) == parts_of[owner]:
                    run.progress.advance(1)
                    total = math.fsum(sums[owner])
                    yield Completion(owner, "", log_likelihood=total, new_tokens=tokens[owner])
    finally:
        run.progress.finish()
        run.event(
            "decoding",
            decoder="perplexity",
            requests=len(requests),
            precision=lm.precision,
            device=str(lm.device),
            window=width,
            stride=step,
            **budget.facts(),
        )


class Window(NamedTuple):
    """Tokens that are read together, how many of the last are new, and whose they are."""

    ids: list[int]
    new: int
    owner: str = ""


def _read(lm: LanguageModel, windows: list[Window], budget: Budget) -> Iterator[tuple[str, float]]:
    """Yield the log-likelihood of each window's new tokens, the longest windows first."""
    windows = sorted(windows, key=lambda window: -len(window.ids))
    for batch, sums in in_batches(
        windows, lambda window: len(window.ids), lambda batch: _logs(lm, batch), budget
    ):
        yield from zip((window.owner for window in batch), sums, strict=True)


def _sizes(lm: LanguageModel, window: int, stride: int) -> tuple[int, int]:
    """Return how many tokens are read at once and how many of them are new; 0 stands for the default."""
    limit = lm.limit or window or DEFAULT_WINDOW
    width = min(window or limit, limit)
    step = stride or max(1, width // 2)
    if not 1 <= step < width:
        raise UsageError(f"stride is {step}; it must be at least 1 and below the window of {width} tokens")
    return width, step


def _decoder_only(model: Any, tokenizer: Any) -> LanguageModel:
    lm = LanguageModel(model, tokenizer)
    if lm.encoder_decoder:
        raise UsageError("perplexity of running text needs a decoder-only model")
    return lm


def strided(ids: list[int], width: int, stride: int) -> list[tuple[list[int], int]]:
    """Return (window, how many of its last tokens are new) so that each token but the first is new once."""
    if len(ids) < 2:
        return []
    windows = [(ids[:width], min(width, len(ids)) - 1)]
    seen = width
    while seen < len(ids):
        end = min(seen + stride, len(ids))
        windows.append((ids[max(0, end - width) : end], end - seen))
        seen = end
    return windows


def _logs(lm: LanguageModel, windows: Sequence[Window]) -> list[float]:
    width = max(len(ids) for ids, *_ in windows)
    padded = torch.tensor([[*ids, *[lm.pad] * (width - len(ids))] for ids, *_ in windows], device=lm.device)
    lengths = torch.tensor([len(ids) for ids, *_ in windows], device=lm.device)[:, None]
    mask = torch.arange(width - 1, device=lm.device) < lengths - 1  # nothing comes after the last token
    logits = lm.model(
        input_ids=padded[:, :-1], attention_mask=None if bool(mask.all()) else mask, use_cache=False
    ).logits
    sums = []
    for row, (ids, new, _) in enumerate(windows):
        scores = logits[row, len(ids) - new - 1 : len(ids) - 1].float()
        targets = padded[row, len(ids) - new : len(ids), None]
        logs = scores.gather(1, targets)[:, 0] - scores.logsumexp(-1)
        sums.append(float(logs.double().sum()))
    return sums
