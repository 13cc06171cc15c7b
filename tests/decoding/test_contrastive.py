"""Contrastive search against a plain reading of its definition, one sequence at a time, without a cache."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from .conftest import Answer, requests_of
from .test_greedy import text_of
from .test_models import mistral


def states_and_logits(model: Any, prompt: list[int], tokens: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    if model.config.is_encoder_decoder:
        out = model(
            input_ids=torch.tensor([prompt]),
            decoder_input_ids=torch.tensor([[0, *tokens]]),
            output_hidden_states=True,
        )
        return out.decoder_hidden_states[-1][0], out.logits[0, -1]
    out = model(input_ids=torch.tensor([[*prompt, *tokens]]), output_hidden_states=True)
    return out.hidden_states[-1][0], out.logits[0, -1]


@torch.no_grad()
def plain_contrastive(model: Any, prompt: list[int], alpha: float, top_k: int, most: int) -> list[int]:
    tokens: list[int] = []
    while len(tokens) < most and tokens[-1:] != [1]:
        _, logits = states_and_logits(model, prompt, tokens)
        shares, candidates = logits.softmax(-1).topk(top_k)
        scores = []
        for share, candidate in zip(shares.tolist(), candidates.tolist(), strict=True):
            states, _ = states_and_logits(model, prompt, [*tokens, candidate])
            likeness = max(F.cosine_similarity(states[:-1], states[-1:], dim=-1).tolist())
            scores.append((1 - alpha) * share - alpha * likeness)
        tokens.append(candidates[scores.index(max(scores))].item())
    return tokens


@pytest.mark.parametrize("alpha", [0.1, 0.6])
def test_equals_its_definition(model: Any, tokenizer: Any, answer: Answer, alpha: float) -> None:
    requests = requests_of(8, longest=20)
    found = answer(model, requests, decoder="contrastive", penalty_alpha=alpha, top_k=4, max_new_tokens=12)
    for request in requests:
        prompt = tokenizer(request.prompt)["input_ids"]
        if not model.config.is_encoder_decoder:
            prompt = prompt[:-1]
        tokens = plain_contrastive(model, prompt, alpha, 4, 12)
        assert found[request.id].text == text_of(tokenizer, tokens)
        assert found[request.id].new_tokens == len(tokens)


def test_equals_its_definition_where_rows_start_together(tokenizer: Any, answer: Answer) -> None:
    model, requests = mistral(), requests_of(6)
    found = answer(model, requests, decoder="contrastive", top_k=3, max_new_tokens=20, batch_tokens="300")
    for request in requests:
        tokens = plain_contrastive(model, tokenizer(request.prompt)["input_ids"][:-1], 0.6, 3, 20)
        assert found[request.id].text == text_of(tokenizer, tokens)


def test_without_penalty_it_is_greedy(llama: Any, answer: Answer) -> None:
    requests = requests_of(8)
    greedy = answer(llama, requests)
    assert answer(llama, requests, decoder="contrastive", penalty_alpha=0.0) == greedy
