"""The same log-likelihoods in double precision, which say whose rounding a difference is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks.real_weights.questions import Question
from harness.language_models import load


def exactly(asked: Sequence[Question], weights: Path) -> list[list[float]]:
    """Return the log-likelihood of each question's choices behind its prompt and a space."""
    model, tokenizer = load(str(weights), torch.float64)
    encode = partial(tokenizer.encode, add_special_tokens=False)
    found = []
    for question in asked:
        begin = len(encode(question.prompt))
        wholes = [encode(f"{question.prompt} {choice}") for choice in question.choices]
        found.append([_log_likelihood(model, ids, begin) for ids in wholes])
    return found


@torch.no_grad()
def _log_likelihood(model: torch.nn.Module, ids: list[int], begin: int) -> float:
    logs = model(input_ids=torch.tensor([ids])).logits[0, begin - 1 : -1].log_softmax(-1)
    return float(logs.gather(1, torch.tensor(ids[begin:])[:, None]).sum())
