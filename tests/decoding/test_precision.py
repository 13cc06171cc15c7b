"""What lower precision changes is known: batches may change answers, and a recheck counts how many."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from harness import UsageError, decoding, training

from .conftest import Answer, requests_of

Events = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def coarse(model: Any) -> Any:
    return copy.deepcopy(model).to(torch.bfloat16)


@pytest.mark.parametrize(("has", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_bf16_is_the_default_on_a_gpu_that_has_it(
    has: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return has or including_emulation  # as torch says it of a GPU that can only imitate bf16

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert decoding.load_dtype("auto", "cuda") == dtype == training.load_dtype("auto", "cuda")
    assert decoding.load_dtype("auto", "cpu") == torch.float32
    assert decoding.load_dtype("fp32", "cuda") == torch.float32


def test_a_recheck_counts_the_answers_that_a_batch_changed(
    coarse: Any, answer: Answer, events: Events
) -> None:
    requests = requests_of(30)
    together = answer(coarse, requests, options={"recheck": 30})
    facts, noted = dict(events)["decoding"], dict(events)["note"]
    alone = answer(coarse, requests, deterministic=True)
    changed = sum(alone[name].text != completion.text for name, completion in together.items())
    assert facts["rechecked"] == 30 and facts["changed_by_batch"] == changed > 0
    assert noted["text"] == f"{changed} of 30 answers differ when each is decoded alone"


def test_a_recheck_finds_nothing_in_fp32(model: Any, answer: Answer, events: Events) -> None:
    answer(model, requests_of(30), options={"recheck": 20})
    facts = dict(events)["decoding"]
    assert (facts["rechecked"], facts["changed_by_batch"]) == (20, 0)


def test_a_recheck_takes_no_more_than_there_is(llama: Any, answer: Answer, events: Events) -> None:
    answer(llama, requests_of(3), options={"recheck": 50})
    assert dict(events)["decoding"]["rechecked"] == 3


def test_without_a_recheck_nothing_is_said_of_it(llama: Any, answer: Answer, events: Events) -> None:
    answer(llama, requests_of(3))
    assert [kind for kind, _ in events] == ["decoding"]
    assert "rechecked" not in events[0][1]


@pytest.mark.parametrize("count", [-1, "many"])
def test_a_recheck_that_is_no_number_is_refused(llama: Any, answer: Answer, count: Any) -> None:
    with pytest.raises(UsageError, match="recheck is"):
        answer(llama, requests_of(1), options={"recheck": count})


def test_deterministic_runs_decode_one_request_at_a_time_in_any_precision(
    coarse: Any, answer: Answer, events: Events
) -> None:
    requests = requests_of(20)
    alone = answer(coarse, requests, deterministic=True)
    assert answer(coarse, requests[::-1][:7], deterministic=True).items() <= alone.items()
    assert all(facts["peak_rows"] == 1 and facts["batching"] == "alone" for _, facts in events)
