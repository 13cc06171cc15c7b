"""Perplexity of long texts, read in windows that overlap so that every token is predicted with context."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from harness.api.errors import DataError, UsageError
from harness.api.spec import GenerateSpec

from .budget import Budget, in_batches
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
    lm = LanguageModel(model, tokenizer)
    if lm.encoder_decoder:
        raise UsageError("perplexity of running text needs a decoder-only model")
    width = min(window or lm.limit or DEFAULT_WINDOW, lm.limit or window or DEFAULT_WINDOW)
    step = stride or max(1, width // 2)
    if not 1 <= step < width:
        raise UsageError(f"stride is {step}; it must be at least 1 and below the window of {width} tokens")
    windows = [
        part for ids in tokenizer(list(texts))["input_ids"] for part in strided(list(ids), width, step)
    ]
    if not windows:
        raise DataError("no text has two tokens, so there is nothing to predict")
    windows.sort(key=lambda part: -len(part[0]))
    total = 0.0
    budget = Budget(GenerateSpec(batch_tokens=batch_tokens), 1, lm.device, one_pass=True)
    with lm.evaluating():
        for _, sums in in_batches(windows, lambda part: len(part[0]), lambda batch: _logs(lm, batch), budget):
            total -= math.fsum(sums)
    count = sum(new for _, new in windows)
    return Perplexity(math.exp(total / count), count, total, len(windows))


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


def _logs(lm: LanguageModel, windows: Sequence[tuple[list[int], int]]) -> list[float]:
    width = max(len(ids) for ids, _ in windows)
    padded = torch.tensor([[*ids, *[lm.pad] * (width - len(ids))] for ids, _ in windows], device=lm.device)
    lengths = torch.tensor([len(ids) for ids, _ in windows], device=lm.device)[:, None]
    mask = torch.arange(width, device=lm.device) < lengths
    logits = lm.model(
        input_ids=padded, attention_mask=None if bool(mask.all()) else mask, use_cache=False
    ).logits
    sums = []
    for row, (ids, new) in enumerate(windows):
        scores = logits[row, len(ids) - new - 1 : len(ids) - 1].float()
        targets = padded[row, len(ids) - new : len(ids), None]
        logs = scores.gather(1, targets)[:, 0] - scores.logsumexp(-1)
        sums.append(float(logs.double().sum()))
    return sums
