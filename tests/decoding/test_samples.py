"""Samples come with their tokens, and are those that generation gives for the same seed."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import Any

import torch

from harness import GenerateSpec, RunContext, decoding

from .conftest import requests_of


def test_samples_are_the_texts_of_generation_with_the_tokens_that_were_drawn(
    llama: Any, tokenizer: Any, run: RunContext
) -> None:
    spec = GenerateSpec("sampling", max_new_tokens=6, n_best=3, seed=5)
    requests = requests_of(4)
    told = {
        completion.request_id: completion
        for completion in decoding.generate(llama, tokenizer, requests, spec, run)
    }
    drawn = {some[0].request.id: some for some in decoding.sample(llama, tokenizer, requests, spec)}
    assert drawn.keys() == told.keys()
    for name, samples in drawn.items():
        assert [sample.text for sample in samples] == [told[name].text, *told[name].alternatives]
        for sample in samples:
            ended = sample.tokens[:-1] if sample.finish == "stop" else sample.tokens
            assert tokenizer.decode(list(ended), skip_special_tokens=True) == sample.text
            assert 0 < len(sample.tokens) <= 6 and len(sample.prompt["input_ids"]) == told[name].prompt_tokens
    assert not llama.training


def drawn_alone(model: Any, prompt: list[int], stream: Random, tokens: int, eos: int) -> tuple[int, ...]:
    """Draw one text token by token, without a batch, a cache or company."""
    said: list[int] = []
    while len(said) < tokens and eos not in said:
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *said]])).logits[0, -1].float()
        sorted_logits, order = logits.sort(descending=True, stable=True)
        sums = sorted_logits.double().softmax(-1).cumsum(-1)
        said.append(int(order[torch.searchsorted(sums, stream.random() * sums[-1], right=True)]))
    return tuple(said)


def test_texts_that_are_the_same_so_far_share_a_row_and_are_drawn_as_if_they_did_not(
    llama: Any, tokenizer: Any
) -> None:
    spec = GenerateSpec("sampling", max_new_tokens=5, n_best=6, seed=3, temperature=0.2)
    rows: list[int] = []
    hook = llama.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    found = list(decoding.sample(llama, tokenizer, requests_of(3), spec))
    hook.remove()
    different = sum(len({sample.tokens for sample in samples}) for samples in found)
    assert max(rows) <= different < 18 and rows[0] <= rows[1] <= rows[-1]
    cold = deepcopy(llama)
    cold.lm_head.weight.data /= 0.2  # which is that temperature
    for samples in found:
        for number, sample in enumerate(samples):
            stream = Random(f"3/{sample.request.id}/{number}")
            prompt = list(sample.prompt["input_ids"])
            assert sample.tokens == drawn_alone(cold, prompt, stream, 5, tokenizer.eos_token_id)
