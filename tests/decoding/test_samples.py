"""Samples come with their tokens, and are those that generation gives for the same seed."""

from __future__ import annotations

from typing import Any

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
