"""In fp32 an answer depends on its request alone: not on the batch, the order, or what was asked before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import Completion, GenerateSpec, Request, RunContext, decoding

from .conftest import requests_of
from .test_choices import questions

WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampling": {"decoder": "sampling", "temperature": 1.3, "top_p": 0.95},
    "beam": {"num_beams": 3},
    "contrastive": {"decoder": "contrastive", "top_k": 3},
    "repetition penalty": {"repetition_penalty": 1.3},
    "choices": {},
}
POOL = 24
some_of_the_pool = st.lists(st.integers(0, POOL - 1), min_size=1, max_size=POOL, unique=True)
any_budget = st.one_of(st.just("auto"), st.integers(1, 3000).map(str))


def asked(way: str) -> list[Request]:
    return questions(POOL) if way == "choices" else requests_of(POOL)


def answers(
    way: str, model: Any, tokenizer: Any, requests: list[Request], **spec: Any
) -> Iterable[Completion]:
    run = RunContext(None, None)  # type: ignore[arg-type]
    ask = decoding.choose if way == "choices" else decoding.generate
    return ask(model, tokenizer, requests, GenerateSpec(max_new_tokens=16, **WAYS[way], **spec), run)


@pytest.fixture
def alone(name: str, way: str, tokenizer: Any, request: pytest.FixtureRequest) -> dict[str, Completion]:
    """The answers to the whole pool, each decoded alone."""
    model = request.getfixturevalue(name)
    return {c.request_id: c for c in answers(way, model, tokenizer, asked(way), deterministic=True)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["llama", "t5"])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=some_of_the_pool, budget=any_budget)
def test_batch_order_and_resume_do_not_change_answers(
    name: str,
    way: str,
    chosen: list[int],
    budget: str,
    alone: dict[str, Completion],
    tokenizer: Any,
    request: pytest.FixtureRequest,
) -> None:
    pool, model = asked(way), request.getfixturevalue(name)
    # what is asked is what a resumed run would ask: any part of the pool, in any order
    found = list(answers(way, model, tokenizer, [pool[number] for number in chosen], batch_tokens=budget))
    assert {completion.request_id for completion in found} == {pool[number].id for number in chosen}
    for completion in found:
        wanted = alone[completion.request_id]
        assert completion.choice_scores == pytest.approx(wanted.choice_scores, rel=1e-5)
        assert (completion.text, completion.finish, completion.new_tokens) == (
            wanted.text,
            wanted.finish,
            wanted.new_tokens,
        )
