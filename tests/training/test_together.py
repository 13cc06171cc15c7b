"""Processes that share sharded weights answer in the same batches, and start again together with less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from harness import GenerateSpec, LaunchSpec, RunContext, StageError, training
from harness.api import TryAgain
from harness.training.together import MOST, STATE, answering, note_splits, noted_splits

MakeRun = Callable[..., RunContext]
SHARDED = LaunchSpec(strategy="fsdp", processes=2)
NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.fixture
def run(make_run: MakeRun) -> RunContext:
    made = make_run()
    (made.directory / STATE).mkdir()
    return made


def asked(run: RunContext, launch: LaunchSpec, tokens: str = "auto") -> str:
    spec = replace(run.spec, generate=GenerateSpec(batch_tokens=tokens))
    return training.asked_together(replace(run, spec=spec), launch).batch_tokens


def test_batches_are_fixed_where_weights_are_sharded(run: RunContext) -> None:
    assert asked(run, LaunchSpec()) == "auto"
    assert asked(run, SHARDED) == "8192" and asked(run, SHARDED, "100") == "100"


def test_memory_that_runs_out_while_answering_starts_all_again_with_less(run: RunContext) -> None:
    strategy: Any = SimpleNamespace(whole=False)
    with pytest.raises(TryAgain, match="out of memory while answering"), answering(strategy, run):
        raise NO_MEMORY
    assert noted_splits(run.directory / STATE) == 2
    assert asked(run, SHARDED) == "4096" and asked(run, SHARDED, "100") == "50"


def test_starting_again_ends_where_nothing_is_small_enough(run: RunContext) -> None:
    note_splits(run.directory / STATE, MOST)
    strategy: Any = SimpleNamespace(whole=False)
    with pytest.raises(StageError, match="however few requests at a time") as ended:
        with answering(strategy, run):
            raise NO_MEMORY
    assert not isinstance(ended.value, TryAgain)


def test_a_whole_model_and_other_failures_are_left_alone(run: RunContext) -> None:
    for whole, failure in ((True, NO_MEMORY), (False, RuntimeError("shapes differ"))):
        strategy: Any = SimpleNamespace(whole=whole)
        with pytest.raises(RuntimeError) as found, answering(strategy, run):
            raise failure
        assert found.value is failure
