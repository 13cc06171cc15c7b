"""Prompts at their limits, further inputs, and the kinds of model that plugins bring."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BitsAndBytesConfig,
    ByT5Tokenizer,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from harness import DataError, GenerateSpec, Request, RunContext, decoding

from .conftest import Answer, llama_config, make_llama, make_t5, requests_of
from .test_greedy import reference, text_of


def test_long_prompts_are_cut_on_the_left_for_a_decoder(llama: Any, answer: Answer) -> None:
    long = "x" * 300 + "abc"
    found = answer(llama, [Request("long", long), Request("short", "abc")])
    assert found["long"].notes == ("prompt-truncated-left",)
    assert found["long"].prompt_tokens == 256 - 24
    assert found["short"].notes == ()
    assert found["long"].text == answer(llama, [Request("cut", long[-(256 - 24) :])])["cut"].text


def test_an_answer_may_claim_half_of_the_context(llama: Any, answer: Answer) -> None:
    found = answer(llama, [Request("long", "x" * 300)], max_new_tokens=1000, min_new_tokens=1000)
    assert found["long"].prompt_tokens == found["long"].new_tokens == 128
    assert found["long"].finish == "length"
    assert found["long"].notes == ("prompt-truncated-left", "context-full")


def bart() -> Any:
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=384,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=64,
        init_std=0.4,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
        decoder_start_token_id=2,
        forced_eos_token_id=None,
        forced_bos_token_id=None,
    )
    return BartForConditionalGeneration(config).eval()


def mistral() -> Any:
    torch.manual_seed(0)
    config = MistralConfig(**llama_config().to_dict() | {"sliding_window": 16, "model_type": "mistral"})
    return MistralForCausalLM(config).eval()


def test_long_prompts_are_cut_on_the_right_for_an_encoder(tokenizer: Any, answer: Answer) -> None:
    found = answer(bart(), [Request("long", "x" * 100)])
    assert found["long"].notes == ("prompt-truncated-right",)
    assert found["long"].prompt_tokens == 64


@pytest.mark.parametrize("make", [bart, mistral], ids=["absolute positions", "sliding window"])
@pytest.mark.parametrize("settings", [{}, {"num_beams": 3}])
def test_models_whose_rows_start_together(
    tokenizer: Any, answer: Answer, make: Any, settings: dict[str, Any]
) -> None:
    model, requests = make(), requests_of(20)
    found = answer(model, requests, batch_tokens="500", **settings)
    for request in requests:
        tokens = reference(model, tokenizer, request, max_new_tokens=24, **settings)
        while tokens[-1] == 0 and len(tokens) > 1:
            tokens.pop()
        assert found[request.id].text == text_of(tokenizer, tokens)


@pytest.mark.parametrize(("kind", "layers"), [("llama", ["q_proj", "v_proj"]), ("t5", ["q", "v"])])
def test_adapters_are_part_of_the_model(
    kind: str, layers: list[str], answer: Answer, request: pytest.FixtureRequest
) -> None:
    plain = request.getfixturevalue(kind)
    torch.manual_seed(0)
    adapted = get_peft_model(copy.deepcopy(plain), LoraConfig(target_modules=layers, init_lora_weights=False))
    requests = requests_of(8)
    found = answer(adapted, requests)
    assert found != answer(plain, requests)
    assert {n: c.text for n, c in found.items()} == {
        n: c.text for n, c in answer(adapted.merge_and_unload(), requests).items()
    }


def wide_llama() -> Any:
    return make_llama(hidden_size=64, intermediate_size=128)


def wide_t5() -> Any:
    return make_t5(d_model=64, d_kv=16, d_ff=128)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("make", [wide_llama, wide_t5])
def test_quantised_weights_are_decoded_as_they_were_loaded(
    make: Callable[[], Any],
    bits: int,
    answer: Answer,
    events: list[tuple[str, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    pytest.importorskip("bitsandbytes")
    plain, requests = make(), requests_of(6)
    plain.save_pretrained(tmp_path)
    how = BitsAndBytesConfig(
        load_in_4bit=bits == 4, load_in_8bit=bits == 8, bnb_4bit_compute_dtype=torch.float32
    )
    model = type(plain).from_pretrained(tmp_path, quantization_config=how, device_map="cpu")
    found = answer(model, requests, deterministic=True)
    assert events[0][1]["precision"] == "float32 (quantised weights)"
    assert events[0][1]["ties_settled"] is False  # no promise that answers are independent of the batch
    for asked in requests:
        tokens = reference(model, ByT5Tokenizer(), asked, max_new_tokens=24)
        assert found[asked.id].text == text_of(ByT5Tokenizer(), tokens)
    assert {n: c.text for n, c in found.items()} != {n: c.text for n, c in answer(plain, requests).items()}


class WithKinds(LlamaForCausalLM):
    """A model that takes one more input a token, and derives it from the token where it is not given."""

    def forward(self, input_ids: Any = None, kinds: Any = None, **inputs: Any) -> Any:  # type: ignore[override]
        kinds = input_ids % 2 if kinds is None else kinds
        embedded = self.get_input_embeddings()(input_ids) * (1 + kinds[..., None])
        return super().forward(inputs_embeds=embedded, **inputs)


@pytest.fixture
def with_kinds(llama: Any) -> Any:
    torch.manual_seed(0)
    model = WithKinds(llama.config).eval()
    model.load_state_dict(llama.state_dict())
    return model


def test_further_inputs_travel_with_the_prompt(with_kinds: Any, tokenizer: Any, run: RunContext) -> None:
    def encode(request: Request) -> Mapping[str, list[int]]:
        ids = tokenizer(request.prompt)["input_ids"][:-1]
        return {"input_ids": ids, "kinds": [token % 2 for token in ids]}

    def other(request: Request) -> Mapping[str, list[int]]:
        ids = tokenizer(request.prompt)["input_ids"][:-1]
        return {"input_ids": ids, "kinds": [0] * len(ids)}

    def texts(*, alone: bool = False, **changes: Any) -> dict[str, str]:
        spec = GenerateSpec(max_new_tokens=16, batch_tokens="300", deterministic=alone)
        found = decoding.generate(with_kinds, tokenizer, requests_of(12), spec, run, **changes)
        return {completion.request_id: completion.text for completion in found}

    derived = texts()
    assert texts(alone=True) == derived
    assert texts(encode=encode) == derived  # given or derived, the same
    assert texts(encode=other) != derived  # and what is given is used


def test_further_inputs_survive_running_out_of_memory(
    with_kinds: Any, tokenizer: Any, run: RunContext
) -> None:
    from .test_memory import OUT_OF_MEMORY, SmallMachine

    def encode(request: Request) -> Mapping[str, list[int]]:
        ids = tokenizer(request.prompt)["input_ids"][:-1]
        return {"input_ids": ids, "kinds": [token % 2 for token in ids]}

    def ask() -> dict[str, str]:
        spec = GenerateSpec(max_new_tokens=16)
        found = decoding.generate(with_kinds, tokenizer, requests_of(12), spec, run, encode=encode)
        return {completion.request_id: completion.text for completion in found}

    whole = ask()
    with SmallMachine(with_kinds, 250, OUT_OF_MEMORY[0]) as machine:
        assert ask() == whole
    assert machine.failures > 0


def test_own_decoding_of_tokens_is_used(llama: Any, tokenizer: Any, run: RunContext) -> None:
    spec = GenerateSpec(max_new_tokens=5, min_new_tokens=5)
    [completion] = decoding.generate(
        llama, tokenizer, [Request("a", "C")], spec, run, decode=lambda tokens: f"{len(tokens)} tokens"
    )
    assert completion.text == "5 tokens"


def test_a_doubled_start_of_text_is_noted(tiny_llama: Any, run: RunContext) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(tiny_llama),
        AutoTokenizer.from_pretrained(tiny_llama),
    )

    def encode(request: Request) -> Mapping[str, list[int]]:
        return {"input_ids": [1, 1, *tokenizer(request.prompt, add_special_tokens=False)["input_ids"]]}

    [completion] = decoding.generate(
        model, tokenizer, [Request("a", "CCO")], GenerateSpec(max_new_tokens=2), run, encode=encode
    )
    assert completion.notes == ("double-bos",)


def test_an_empty_prompt_starts_from_nothing(llama: Any, answer: Answer) -> None:
    found = answer(llama, [Request("empty", "")])
    assert found["empty"].prompt_tokens == 1


def test_an_empty_prompt_without_a_token_to_start_with_is_an_error(tokenizer: Any, run: RunContext) -> None:
    model = LlamaForCausalLM(llama_config(eos_token_id=None))
    model.generation_config.eos_token_id = None

    class Bare:
        def __call__(self, texts: list[str]) -> dict[str, list[list[int]]]:
            return {"input_ids": [[] for _ in texts]}

        def decode(self, tokens: list[int], **_: Any) -> str:
            return ""

    with pytest.raises(DataError, match="empty prompt"):
        list(decoding.generate(model, Bare(), [Request("e", "")], GenerateSpec(), run))


def test_half_precision_runs_and_says_so(
    llama: Any, answer: Answer, events: list[tuple[str, dict[str, Any]]]
) -> None:
    model = LlamaForCausalLM(llama.config).to(decoding.load_dtype("bf16", "cpu")).eval()
    answer(model, requests_of(6))
    assert events[0][1]["precision"] == "bfloat16"


def test_a_model_under_autocast_is_not_taken_for_exact(
    llama: Any, answer: Answer, events: list[tuple[str, dict[str, Any]]]
) -> None:
    answer(llama, requests_of(12))
    with torch.autocast("cpu", torch.bfloat16):
        answer(llama, requests_of(12))
    assert [facts["ties_settled"] for _, facts in events] == [True, False]
    assert events[1][1]["near_ties"] < 12
