"""Choices get the log-likelihood that a plain forward of prompt and choice gives."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import (
    BioGptConfig,
    BioGptForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedTokenizerFast,
)

from harness import DataError, GenerateSpec, Request, RunContext, UsageError, decoding

from .conftest import requests_of


def questions(count: int) -> list[Request]:
    draw = random.Random(1)
    return [
        Request(
            r.id, r.prompt, choices=tuple("abcdef"[: draw.randint(1, 6)] for _ in range(draw.randint(1, 4)))
        )
        for r in requests_of(count)
    ]


@torch.no_grad()
def plain(model: Any, prompt: list[int], choice: list[int]) -> float:
    if model.config.is_encoder_decoder:
        out = model(input_ids=torch.tensor([prompt]), decoder_input_ids=torch.tensor([[0, *choice]]))
        start = 0
    else:
        out = model(input_ids=torch.tensor([[*prompt, *choice]]))
        start = len(prompt) - 1
    logs = out.logits[0].log_softmax(-1)
    return sum(float(logs[start + place, token]) for place, token in enumerate(choice))


def test_equals_a_plain_forward(model: Any, tokenizer: Any, run: RunContext) -> None:
    asked = questions(30)
    found = {c.request_id: c for c in decoding.choose(model, tokenizer, asked, GenerateSpec(), run)}
    for request in asked:
        prompt = tokenizer(request.prompt)["input_ids"]
        if not model.config.is_encoder_decoder:
            prompt = prompt[:-1]
        wanted = [plain(model, prompt, tokenizer(choice)["input_ids"][:-1]) for choice in request.choices]
        completion = found[request.id]
        assert completion.choice_scores == pytest.approx(wanted, rel=1e-5)
        assert completion.text == request.choices[wanted.index(max(wanted))]
        assert completion.finish == "choice"


def test_batching_changes_no_score_beyond_rounding(model: Any, tokenizer: Any, run: RunContext) -> None:
    asked = questions(12)
    alone = {
        c.request_id: c.choice_scores
        for c in decoding.choose(model, tokenizer, asked, GenerateSpec(deterministic=True), run)
    }
    for completion in decoding.choose(model, tokenizer, asked[::-1], GenerateSpec(), run):
        assert completion.choice_scores == pytest.approx(alone[completion.request_id], rel=1e-5)


def test_what_questions_begin_with_is_read_once(llama: Any, tokenizer: Any, run: RunContext) -> None:
    """Examples before the questions of two exams: the scores stay, and their tokens are read once an exam."""
    exams = ["Examples of one exam. " * 5, "What the other exam begins with. " * 4]
    asked = [replace(q, prompt=exams[n % 2] + q.prompt) for n, q in enumerate(questions(12))]
    sizes: list[int] = []
    hook = llama.get_input_embeddings().register_forward_hook(lambda *_: sizes.append(_[1][0].numel()))
    noted: list[dict[str, Any]] = []
    told = replace(run, event=lambda kind, **facts: noted.append(facts))
    found = {c.request_id: c for c in decoding.choose(llama, tokenizer, asked, GenerateSpec(), told)}
    hook.remove()
    read = sum(sizes)
    assert noted[-1]["prompt_tokens_shared"] >= 6 * sum(len(exam) for exam in exams)
    assert read < sum(len(q.prompt) for q in asked) / 2
    for request in asked:
        prompt = tokenizer(request.prompt)["input_ids"][:-1]
        wanted = [plain(llama, prompt, tokenizer(choice)["input_ids"][:-1]) for choice in request.choices]
        assert found[request.id].choice_scores == pytest.approx(wanted, rel=1e-5)
        assert found[request.id].prompt_tokens == len(prompt)


def merging_tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, models

    pieces = {"<s>": 0, "</s>": 1, "a": 2, "b": 3, "c": 4, "ab": 5, "bc": 6}
    fast = Tokenizer(models.BPE(vocab=pieces, merges=[("a", "b"), ("b", "c")]))
    return PreTrainedTokenizerFast(tokenizer_object=fast, bos_token="<s>", eos_token="</s>")


def test_a_token_over_the_seam_moves_the_start_of_every_choice(llama: Any, run: RunContext) -> None:
    """'ca' + 'b' is c|ab, so 'a' is scored for both choices, or they could not be compared."""
    request = Request("seam", "ca", choices=("b", "c"))
    [completion] = decoding.choose(llama, merging_tokenizer(), [request], GenerateSpec(), run)
    assert completion.choice_scores == pytest.approx(
        [plain(llama, [4], [5]), plain(llama, [4], [2, 4])], abs=1e-5
    )


def test_long_prompts_are_cut_on_the_left_and_noted(llama: Any, tokenizer: Any, run: RunContext) -> None:
    request = Request("long", "x" * 400, choices=("abc", "d"))
    [completion] = decoding.choose(llama, tokenizer, [request], GenerateSpec(), run)
    assert completion.notes == ("prompt-truncated-left",)
    assert completion.prompt_tokens == llama.config.max_position_embeddings - 3


def test_no_choices_are_refused(llama: Any, tokenizer: Any, run: RunContext) -> None:
    with pytest.raises(UsageError, match="'bare' has no choices"):
        list(decoding.choose(llama, tokenizer, [Request("bare", "C")], GenerateSpec(), run))


def test_an_empty_choice_is_refused(t5: Any, tokenizer: Any, run: RunContext) -> None:
    with pytest.raises(DataError, match="has no tokens"):
        list(decoding.choose(t5, tokenizer, [Request("q", "C", choices=("a", ""))], GenerateSpec(), run))


def with_absolute_positions(kind: str) -> Any:
    torch.manual_seed(0)
    shared = {"vocab_size": 384, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 1}
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4} | shared
    if kind == "gpt2":
        return GPT2LMHeadModel(GPT2Config(n_positions=64, n_embd=32, n_layer=2, n_head=4, **shared)).eval()
    if kind == "opt":
        wide = {"ffn_dim": 64, "word_embed_proj_dim": 32, "max_position_embeddings": 64}
        return OPTForCausalLM(OPTConfig(**sizes | wide)).eval()
    return BioGptForCausalLM(BioGptConfig(**sizes, intermediate_size=64, max_position_embeddings=64)).eval()


@pytest.mark.parametrize("kind", ["gpt2", "opt", "biogpt"])
def test_a_long_prompt_beside_long_choices_stays_within_the_positions(
    kind: str, tokenizer: Any, run: RunContext
) -> None:
    model = with_absolute_positions(kind)
    asked = [
        Request("long prompt", "x" * 60, choices=("ab", "c")),
        Request("long choice", "C", choices=("d" * 30, "e")),
    ]
    for completion in decoding.choose(model, tokenizer, asked, GenerateSpec(), run):
        request = next(request for request in asked if request.id == completion.request_id)
        prompt = tokenizer(request.prompt)["input_ids"][:-1]
        wanted = [plain(model, prompt, tokenizer(choice)["input_ids"][:-1]) for choice in request.choices]
        assert completion.choice_scores == pytest.approx(wanted, rel=1e-4)


def test_an_unknown_option_is_refused_with_the_nearest(llama: Any, tokenizer: Any, run: RunContext) -> None:
    spec = GenerateSpec(options={"stop_token": ["a"]})
    for ask in (decoding.choose, decoding.generate):
        with pytest.raises(UsageError, match="no option 'stop_token'") as caught:
            list(ask(llama, tokenizer, questions(1), spec, run))
        assert "stop_tokens" in caught.value.hint


@torch.no_grad()
def test_exact_requests_are_told_which_choice_is_greedy(llama: Any, tokenizer: Any, run: RunContext) -> None:
    letters = tuple(map(chr, range(32, 127)))
    choices = (*letters, *(letter + "a" for letter in letters), *("a" + letter for letter in letters))
    asked = [Request(r.id, r.prompt, choices=choices, exact=True) for r in requests_of(12)]
    said = {c.request_id: c for c in decoding.choose(llama, tokenizer, asked, GenerateSpec(), run)}
    for request in asked:
        prompt = tokenizer(request.prompt)["input_ids"][:-1]
        wanted = []
        for choice in choices:
            ids = tokenizer(choice)["input_ids"][:-1]
            logits = llama(input_ids=torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
            wanted.append(logits.argmax(-1).tolist() == ids)
        assert said[request.id].greedy == tuple(wanted)
    assert any(any(completion.greedy) for completion in said.values())
    plain = decoding.choose(llama, tokenizer, [replace(asked[0], exact=False)], GenerateSpec(), run)
    assert next(iter(plain)).greedy == ()
