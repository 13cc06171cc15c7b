"""Greedy answers equal transformers' own, and nothing about a batch can change them in fp32."""

from __future__ import annotations

import random
from typing import Any

import torch
from transformers import LlamaForCausalLM

from harness import GenerateSpec, Request, RunContext, decoding

from .conftest import Answer, llama_config, requests_of


def reference(model: Any, tokenizer: Any, request: Request, **settings: Any) -> list[int]:
    """Return the tokens that transformers generates for one request alone, with the end of text."""
    ids = tokenizer(request.prompt)["input_ids"]
    if not model.config.is_encoder_decoder:
        ids = ids[:-1]
    out = model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        do_sample=False,
        eos_token_id=1,
        pad_token_id=0,
        **settings,
    )[0].tolist()
    return out[1:] if model.config.is_encoder_decoder else out[len(ids) :]


def text_of(tokenizer: Any, tokens: list[int]) -> str:
    return tokenizer.decode(tokens[:-1] if tokens[-1:] == [1] else tokens, skip_special_tokens=True)


def test_equals_transformers_generate_one_by_one(model: Any, tokenizer: Any, answer: Answer) -> None:
    requests = requests_of(24)
    found = answer(model, requests)
    for request in requests:
        tokens = reference(model, tokenizer, request, max_new_tokens=24)
        completion = found[request.id]
        assert completion.text == text_of(tokenizer, tokens)
        assert completion.new_tokens == len(tokens)
        assert completion.finish == ("stop" if tokens[-1] == 1 else "length")
    assert {completion.finish for completion in found.values()} == {"stop", "length"}


def test_counts_prompt_tokens(llama: Any, tokenizer: Any, answer: Answer) -> None:
    found = answer(llama, [Request("a", "CCO")])
    assert found["a"].prompt_tokens == 3


def with_twin_tokens() -> LlamaForCausalLM:
    """A model in which every token has a twin of exactly the same logit, so that rounding would decide."""
    torch.manual_seed(1)
    model = LlamaForCausalLM(llama_config()).eval()
    with torch.no_grad():
        model.lm_head.weight[192:] = model.lm_head.weight[:192]
    return model


def test_exact_ties_do_not_depend_on_the_batch(
    tokenizer: Any, answer: Answer, events: list[tuple[str, dict[str, Any]]]
) -> None:
    model, requests = with_twin_tokens(), requests_of(20)
    alone = answer(model, requests, deterministic=True)
    together = answer(model, requests, batch_tokens="2000")
    shuffled = random.Random(3).sample(requests, len(requests))
    assert alone == together == answer(model, shuffled, batch_tokens="500")
    assert all(facts["near_ties"] > 100 for _, facts in events)


def test_a_model_in_training_goes_on_training(llama: Any, answer: Answer) -> None:
    llama.train()
    try:
        answer(llama, requests_of(2))
        assert llama.training
    finally:
        llama.eval()


def test_gradients_stay_on_for_the_caller_between_completions(
    llama: Any, tokenizer: Any, run: RunContext
) -> None:
    for _ in decoding.generate(llama, tokenizer, requests_of(2), GenerateSpec(max_new_tokens=4), run):
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_no_requests_make_no_completions(llama: Any, answer: Answer) -> None:
    assert answer(llama, []) == {}


def test_each_completion_comes_as_soon_as_it_is_finished(llama: Any, tokenizer: Any, run: RunContext) -> None:
    spec = GenerateSpec(max_new_tokens=24)
    lengths = [c.new_tokens for c in decoding.generate(llama, tokenizer, requests_of(12), spec, run)]
    assert lengths == sorted(lengths)  # one batch, so the shortest answers come first


def test_the_schedule_goes_into_the_record(
    llama: Any, answer: Answer, events: list[tuple[str, dict[str, Any]]]
) -> None:
    found = answer(llama, requests_of(30))
    [(kind, facts)] = events
    assert kind == "decoding"
    assert facts["requests"] == 30
    assert facts["new_tokens"] == sum(completion.new_tokens for completion in found.values())
    assert sum(facts["prompts_by_length"].values()) == 30
    assert facts["batching"] == "auto" and facts["out_of_memory"] == 0
    assert facts["precision"] == "float32" and facts["rounding"] < 1e-4
