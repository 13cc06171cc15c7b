"""How texts end: stop strings, stop tokens, least and most tokens, repetition penalty."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor

from harness import GenerateSpec, UsageError

from .conftest import Answer, requests_of
from .test_greedy import reference, text_of


def test_stop_strings_cut_the_text_and_say_so(llama: Any, answer: Answer) -> None:
    requests = requests_of(12)
    free = answer(llama, requests)
    name, whole = max(((name, c.text) for name, c in free.items()), key=lambda pair: len(pair[1]))
    stop = whole[4:6]
    stopped = answer(llama, requests, stop=(stop,))
    assert stopped[name].text == whole[: whole.index(stop)]
    assert stopped[name].finish == "stop-string"
    assert stopped[name].new_tokens < free[name].new_tokens
    for other, completion in stopped.items():
        assert stop not in completion.text
        if stop not in free[other].text:
            assert completion == free[other]


def test_the_first_of_several_stop_strings_counts(llama: Any, answer: Answer) -> None:
    free = answer(llama, requests_of(12))
    name, whole = max(((name, c.text) for name, c in free.items()), key=lambda pair: len(pair[1]))
    found = answer(llama, requests_of(12), stop=(whole[7], whole[3]))
    assert found[name].text == whole[: min(whole.index(whole[7]), whole.index(whole[3]))]


def test_a_stop_token_ends_a_text(llama: Any, answer: Answer) -> None:
    free = answer(llama, requests_of(12))
    name, text = max(((name, c.text) for name, c in free.items()), key=lambda pair: len(pair[1]))
    char = next(char for char in text[3:] if char.isascii())
    found = answer(llama, requests_of(12), options={"stop_tokens": [char]})
    assert found[name].text == text[: text.index(char)]
    assert found[name].finish == "stop"


def test_least_and_most_new_tokens(model: Any, answer: Answer) -> None:
    found = answer(model, requests_of(12), min_new_tokens=9, max_new_tokens=13)
    counts = {completion.new_tokens for completion in found.values()}
    assert min(counts) >= 9 and max(counts) == 13
    assert all(c.finish == "length" for c in found.values() if c.new_tokens == 13 and c.finish != "stop")


def test_repetition_penalty_equals_transformers(model: Any, tokenizer: Any, answer: Answer) -> None:
    requests = requests_of(8)
    found = answer(model, requests, repetition_penalty=1.5)
    processors = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(1.5)])
    for request in requests:
        tokens = reference(model, tokenizer, request, max_new_tokens=24, logits_processor=processors)
        assert found[request.id].text == text_of(tokenizer, tokens)
    assert found != answer(model, requests)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"decoder": "gredy"}, "generate.decoder is gredy"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"min_new_tokens": 600}, "above max_new_tokens"),
        ({"decoder": "sampling", "temperature": 0.0}, "temperature is 0.0"),
        ({"decoder": "sampling", "top_p": 0.0}, "top_p is 0.0"),
        ({"decoder": "sampling", "num_beams": 2}, "sampling cannot use num_beams=2"),
        ({"n_best": 2}, "n_best=2"),
        ({"constraint": "smile"}, "generate.constraint is smile"),
        ({"stop": ("",)}, "stop string is empty"),
        ({"batch_tokens": "many"}, "batch-tokens is 'many'"),
        ({"options": {"stop_tokens": ["no such token"]}}, "no stop token 'no such token'"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    llama: Any, answer: Answer, settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        answer(llama, requests_of(1), **settings)


def test_a_misspelt_decoder_is_put_right(llama: Any, answer: Answer) -> None:
    with pytest.raises(UsageError) as caught:
        answer(llama, requests_of(1), decoder="gredy")
    assert "greedy" in caught.value.hint


def test_the_defaults_are_allowed() -> None:
    from harness.decoding.settings import check

    assert check(GenerateSpec()) == "greedy"
