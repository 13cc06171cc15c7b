"""Samples depend on the seed and the request, not on the batch, and obey their filters."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import pytest
import torch

from harness import Request

from .conftest import Answer, requests_of


def test_batch_and_order_do_not_change_samples(model: Any, answer: Answer) -> None:
    requests = requests_of(24)
    settings = {"decoder": "sampling", "temperature": 1.3, "top_p": 0.95, "seed": 7}
    alone = answer(model, requests, deterministic=True, **settings)
    assert answer(model, requests, **settings) == alone
    assert answer(model, requests[::-1], batch_tokens="300", **settings) == alone


def test_another_seed_gives_other_samples(llama: Any, answer: Answer) -> None:
    requests = requests_of(10)
    first = answer(llama, requests, decoder="sampling", seed=1)
    assert first != answer(llama, requests, decoder="sampling", seed=2)


@pytest.fixture
def ascii_llama(llama: Any) -> Any:
    """The model with only tokens of one printable character each, so that a text tells its tokens."""
    model = copy.deepcopy(llama)
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.weight[35:130] = llama.lm_head.weight[35:130]
    return model


def test_draws_follow_the_distribution(ascii_llama: Any, answer: Answer) -> None:
    """Chi-square of 2000 first tokens against the model's own probabilities, filtered to the top 5."""
    requests = [Request(f"r{number}", "CCO") for number in range(2000)]
    found = answer(ascii_llama, requests, decoder="sampling", top_k=5, max_new_tokens=1, temperature=0.8)
    ids = torch.tensor([[ord(char) + 3 for char in "CCO"]])
    with torch.no_grad():
        top = (ascii_llama(input_ids=ids).logits[0, -1] / 0.8).topk(5)
    wanted = dict(zip(top.indices.tolist(), (top.values.softmax(-1) * 2000).tolist(), strict=True))
    seen = Counter(ord(completion.text) + 3 for completion in found.values())
    assert set(seen) <= set(wanted)
    assert sum((seen[token] - count) ** 2 / count for token, count in wanted.items()) < 18.5  # p = 0.001


@pytest.mark.parametrize("settings", [{"top_k": 1}, {"top_p": 1e-9}, {"min_p": 1.0}])
def test_the_narrowest_filter_is_greedy(llama: Any, answer: Answer, settings: dict[str, Any]) -> None:
    requests = requests_of(8)
    greedy = answer(llama, requests)
    assert answer(llama, requests, decoder="sampling", **settings) == greedy


def test_n_best_gives_further_samples_in_the_order_of_drawing(llama: Any, answer: Answer) -> None:
    requests = requests_of(6)
    one = answer(llama, requests, decoder="sampling", seed=3)
    three = answer(llama, requests, decoder="sampling", seed=3, n_best=3)
    for request in requests:
        assert three[request.id].text == one[request.id].text
        assert len(three[request.id].alternatives) == 2
