"""Beam search gives the texts that transformers' own gives, in any batch."""

from __future__ import annotations

from typing import Any

import pytest

from harness import UsageError

from .conftest import Answer, requests_of
from .test_greedy import reference, text_of


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
def test_equals_transformers_beam_search(
    model: Any, tokenizer: Any, answer: Answer, length_penalty: float
) -> None:
    requests = requests_of(12)
    found = answer(model, requests, decoder="beam", num_beams=4, length_penalty=length_penalty)
    for request in requests:
        tokens = reference(
            model, tokenizer, request, max_new_tokens=24, num_beams=4, length_penalty=length_penalty
        )
        while tokens[-1] == 0 and len(tokens) > 1:  # transformers pads behind the end
            tokens.pop()
        assert found[request.id].text == text_of(tokenizer, tokens)


def test_batch_and_order_do_not_change_beams(model: Any, answer: Answer) -> None:
    requests = requests_of(16)
    alone = answer(model, requests, num_beams=3, deterministic=True)
    assert answer(model, requests, num_beams=3) == alone
    assert answer(model, requests[::-1], num_beams=3, batch_tokens="900") == alone


def test_beams_ask_for_beam_search_without_naming_it(llama: Any, answer: Answer) -> None:
    requests = requests_of(4)
    assert answer(llama, requests, num_beams=2) == answer(llama, requests, decoder="beam", num_beams=2)


def test_n_best_returns_different_texts_best_first(llama: Any, answer: Answer) -> None:
    found = answer(llama, requests_of(6), num_beams=4, n_best=3)
    best = answer(llama, requests_of(6), num_beams=4)
    for name, completion in found.items():
        assert completion.text == best[name].text
        assert len(completion.alternatives) == 2


def test_more_texts_than_beams_is_refused(llama: Any, answer: Answer) -> None:
    with pytest.raises(UsageError, match="n_best=3"):
        answer(llama, requests_of(1), num_beams=2, n_best=3)
