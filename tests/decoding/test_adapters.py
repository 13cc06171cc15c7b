"""Adapters of one model, each asked for by its own requests, as if each were alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from harness import GenerateSpec, UsageError
from harness.decoding import Engine

from .conftest import requests_of
from .test_engine import alone, finish


def adapted(model: Any, layers: list[str], *names: str) -> Any:
    """Return a copy of a model with random adapters, the same ones for the same names."""
    made: Any = copy.deepcopy(model)
    for number, name in enumerate(names):
        torch.manual_seed(len(name) * 100)
        config = LoraConfig(target_modules=layers, init_lora_weights=False)
        made = get_peft_model(made, config, adapter_name=name) if not number else made
        if number:
            made.add_adapter(name, config)
    return made.eval()


@pytest.mark.parametrize(("name", "layers"), [("llama", ["q_proj", "v_proj"]), ("t5", ["q", "v"])])
def test_requests_choose_their_adapter(
    name: str, layers: list[str], tokenizer: Any, request: pytest.FixtureRequest
) -> None:
    plain = request.getfixturevalue(name)
    both = adapted(plain, layers, "one", "other")
    engine = Engine(both, tokenizer, own_adapter="")
    spec = GenerateSpec(max_new_tokens=12)
    asked = requests_of(9)
    chosen = ["", "one", "other"] * 3
    streams = [engine.submit(r, spec, adapter=which) for r, which in zip(asked, chosen, strict=True)]
    finish(engine)
    models = {"": plain, "one": adapted(plain, layers, "one"), "other": adapted(plain, layers, "other")}
    wanted = [alone(models[which], tokenizer, r, spec) for r, which in zip(asked, chosen, strict=True)]
    assert [stream.result() for stream in streams] == wanted
    assert len({completion.text for completion in wanted}) > 4


def test_what_one_adapter_has_read_serves_no_other(llama: Any, tokenizer: Any) -> None:
    layers = ["q_proj", "v_proj"]
    engine = Engine(adapted(llama, layers, "one", "other"), tokenizer, own_adapter="")
    spec = GenerateSpec(max_new_tokens=6)
    [asked] = requests_of(1)
    long = type(asked)("long", "the same long prompt for all of them, letter by letter " * 3)
    found = [engine.submit(long, spec, adapter=which).result() for which in ("", "one", "other", "one")]
    assert found[1] == found[3] == alone(adapted(llama, layers, "one"), tokenizer, long, spec)
    assert found[0] == alone(llama, tokenizer, long, spec)
    assert engine.shared_tokens == len(long.prompt) - 1  # the second time that `one` was asked


def test_an_adapter_that_is_not_there_is_refused(llama: Any, tokenizer: Any) -> None:
    engine = Engine(adapted(llama, ["q_proj"], "chemistry"), tokenizer)
    with pytest.raises(UsageError, match="no adapter 'chemisty'") as caught:
        engine.submit(requests_of(1)[0], GenerateSpec(), adapter="chemisty")
    assert "chemistry" in caught.value.hint
    assert engine.lm.own_adapter == "chemistry"  # the active one works for those who ask for none
