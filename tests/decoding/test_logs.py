"""Log-probabilities of tokens are those of a plain forward, whatever else is in the batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness import GenerateSpec, Request, UsageError
from harness.decoding import Engine

from .conftest import requests_of
from .test_engine import finish
from .test_memory import OUT_OF_MEMORY, SmallMachine


@torch.no_grad()
def plain(model: Any, ids: list[int]) -> torch.Tensor:
    return model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)


@pytest.mark.parametrize("piece", [7, 512])
@pytest.mark.parametrize("room", [10_000, 150])
def test_prompt_and_answer_equal_a_plain_forward(
    llama: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch, piece: int, room: int
) -> None:
    monkeypatch.setattr("harness.decoding.engine.PIECES", {"cpu": piece})
    engine = Engine(llama, tokenizer)
    prompts = [tokenizer(request.prompt)["input_ids"][:-1] for request in requests_of(8)]
    ways: list[dict[str, Any]] = [
        {},
        {"decoder": "sampling", "temperature": 2.0},
        {"repetition_penalty": 1.5},
    ]
    with SmallMachine(llama, room, OUT_OF_MEMORY[0]):
        streams = [
            engine.submit(
                Request(str(n), ""),
                GenerateSpec(**{"max_new_tokens": 6, **ways[n % 3]}),
                tokens=ids,
                logs=n % 4,
                echo=n % 2 == 0,
            )
            for n, ids in enumerate(prompts)
        ]
        finish(engine)
    for number, (ids, stream) in enumerate(zip(prompts, streams, strict=True)):
        answer = [entry.token for entry in stream.logs]
        assert len(answer) == stream.result().new_tokens
        logs = plain(llama, [*ids, *answer])
        told = [*stream.prompt_logs[1:], *stream.logs]
        start = 1 if number % 2 == 0 else len(ids)
        if start == 1:
            assert stream.prompt_logs[0].log is None and stream.prompt_logs[0].token == ids[0]
        for place, entry in enumerate(told, start=start):
            assert entry.token == [*ids, *answer][place]
            assert entry.log == pytest.approx(float(logs[place - 1, entry.token]), abs=1e-4)
            best = logs[place - 1].topk(number % 4)
            assert [log for _, log in entry.top] == pytest.approx(best.values.tolist(), abs=1e-4)


def test_an_encoder_decoder_tells_of_its_answer(t5: Any, tokenizer: Any) -> None:
    engine = Engine(t5, tokenizer)
    stream = engine.submit(Request("a", "CCO"), GenerateSpec(max_new_tokens=5), logs=2)
    stream.result()
    assert len(stream.logs) == stream.result().new_tokens
    assert all(entry.log == entry.top[0][1] for entry in stream.logs)
    with pytest.raises(UsageError, match="of a prompt"):
        engine.submit(Request("a", "CCO"), GenerateSpec(), logs=0, echo=True)


@pytest.mark.parametrize(
    "way", [{"num_beams": 2}, {"decoder": "contrastive"}, {"decoder": "sampling", "n_best": 2}]
)
def test_searches_over_several_texts_tell_none(llama: Any, tokenizer: Any, way: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="log-probabilities are told"):
        Engine(llama, tokenizer).submit(Request("a", "C"), GenerateSpec(**way), logs=1)


def test_what_gives_way_where_the_context_is_full(llama: Any, tokenizer: Any) -> None:
    engine, spec = Engine(llama, tokenizer), GenerateSpec(max_new_tokens=40, min_new_tokens=40)
    request = Request("a", "x" * 230)
    assert engine.submit(request, spec).result().notes == ("prompt-truncated-left",)
    assert engine.submit(request, spec, fit="shorten").result().new_tokens == 26
    with pytest.raises(UsageError, match="230 tokens and asks for 40 more, the model holds 256"):
        engine.submit(request, spec, fit="refuse")
    with pytest.raises(UsageError, match="256 tokens and asks for 1 more, the model holds 256"):
        engine.submit(Request("b", "x" * 256), spec, fit="shorten")
