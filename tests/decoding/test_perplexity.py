"""Perplexity by strided windows against a plain loop over tokens."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness import DataError, GenerateSpec, Request, RunContext, UsageError, decoding
from harness.decoding.perplexity import strided


@torch.no_grad()
def plain(model: Any, ids: list[int], width: int, stride: int) -> float:
    """Sum the negative log-likelihood of each token after the first, in the window that first holds it."""
    total, end = 0.0, min(width, len(ids))
    done = 1
    while done < len(ids):
        window = ids[max(0, end - width) : end]
        logs = model(input_ids=torch.tensor([window])).logits[0].log_softmax(-1)
        for place in range(done, end):
            inside = place - max(0, end - width)
            total -= float(logs[inside - 1, ids[place]])
        done, end = end, min(end + stride, len(ids))
    return total


def test_equals_a_plain_loop(llama: Any, tokenizer: Any) -> None:
    texts = ["CCO" * 20, "benzene", "a much longer text about molecules " * 5]
    found = decoding.perplexity(llama, tokenizer, texts, window=32, stride=8)
    ids = [tokenizer(text)["input_ids"] for text in texts]
    total = sum(plain(llama, row, 32, 8) for row in ids)
    assert found.tokens == sum(len(row) - 1 for row in ids)
    assert found.negative_log_likelihood == pytest.approx(total, rel=1e-5)
    assert found.value == pytest.approx(math.exp(total / found.tokens), rel=1e-5)


def test_texts_within_one_window_get_the_full_computation(llama: Any, tokenizer: Any) -> None:
    texts = ["CCO", "benzene " * 9, "a longer text about molecules " * 5]
    ids = [tokenizer(text)["input_ids"] for text in texts]
    total = 0.0
    for row in ids:
        with torch.no_grad():
            logs = llama(input_ids=torch.tensor([row])).logits[0, :-1].log_softmax(-1)
        total -= float(logs.gather(1, torch.tensor(row[1:])[:, None]).sum())
    found = decoding.perplexity(llama, tokenizer, texts)
    assert found.windows == len(texts)
    assert found.negative_log_likelihood == pytest.approx(total, rel=1e-5)
    assert found.value == pytest.approx(math.exp(total / sum(len(row) - 1 for row in ids)), rel=1e-5)


@given(st.integers(0, 60), st.integers(2, 20), st.data())
def test_every_token_but_the_first_is_new_once(length: int, width: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, width - 1))
    ids = list(range(length))
    seen = [token for window, new in strided(ids, width, stride) for token in window[len(window) - new :]]
    assert seen == ids[1:]
    assert all(len(window) <= width for window, _ in strided(ids, width, stride))


@pytest.mark.parametrize("stride", [0, 32, -1])
def test_a_stride_that_skips_tokens_is_refused(llama: Any, tokenizer: Any, stride: int) -> None:
    if stride == 0:
        assert decoding.perplexity(llama, tokenizer, ["CCO"], window=32).windows == 1
        return
    with pytest.raises(UsageError, match="stride is"):
        decoding.perplexity(llama, tokenizer, ["CCO"], window=32, stride=stride)


def test_nothing_to_predict_is_an_error(llama: Any, tokenizer: Any) -> None:
    with pytest.raises(DataError, match="nothing to predict"):
        decoding.perplexity(llama, tokenizer, [""])


def test_encoder_decoders_are_refused(t5: Any, tokenizer: Any) -> None:
    with pytest.raises(UsageError, match="decoder-only"):
        decoding.perplexity(t5, tokenizer, ["CCO"])


@torch.no_grad()
def test_an_exact_text_is_counted_whole_in_windows_that_predict_all_they_hold(
    llama: Any, tokenizer: Any, run: RunContext
) -> None:
    text = "a text about molecules " * 8
    spec = GenerateSpec(window=32)
    (found,) = decoding.log_likelihoods(llama, tokenizer, [Request("1", text, exact=True)], spec, run)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    before, total = [tokenizer.eos_token_id, *ids], 0.0  # which has no token that begins a text
    for end in range(32, len(ids) + 32, 32):
        end = min(end, len(ids))
        begin, done = max(0, end - 32), (end - 1) // 32 * 32
        logs = llama(input_ids=torch.tensor([before[begin:end]])).logits[0].log_softmax(-1)
        total += sum(float(logs[place - begin, ids[place]]) for place in range(done, end))
    assert found.new_tokens == len(ids)
    assert found.log_likelihood == pytest.approx(total, rel=1e-5)
