"""What goes wrong is said in one sentence, with a hint, under a number; memory that ran out is known."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    DataError,
    DuplicateName,
    HarnessError,
    LostProcess,
    MissingDependency,
    PluginError,
    RunLocked,
    StageError,
    TryAgain,
    UsageError,
    nearest,
)
from harness.api.errors import ran_out_of_memory
from harness.api.session import PromptTooLong, QueueFull


@pytest.mark.parametrize(
    ("kind", "caught_as"),
    [
        (DuplicateName, PluginError),
        (RunLocked, DataError),
        (LostProcess, StageError),
        (TryAgain, StageError),
        (QueueFull, StageError),
        (PromptTooLong, UsageError),
        (MissingDependency, HarnessError),
    ],
)
def test_a_special_fault_is_caught_as_the_general_one_and_has_its_exit_code(kind, caught_as):
    with pytest.raises(caught_as) as raised:
        raise kind("what happened", hint="what to do")
    assert (raised.value.message, raised.value.hint) == ("what happened", "what to do")
    if caught_as is not HarnessError:
        assert kind.exit_code == caught_as.exit_code


def test_a_missing_library_is_no_fault_of_a_plugin_though_its_number_is_the_same():
    assert MissingDependency.exit_code == PluginError.exit_code
    assert not issubclass(MissingDependency, PluginError)


def test_a_hint_is_a_name_in_the_call_so_that_it_is_never_taken_for_the_message():
    with pytest.raises(TypeError):
        UsageError("what happened", "what to do")  # type: ignore[misc]
    assert UsageError("alone").hint == ""


def test_an_error_reaches_another_process_with_its_sentence():
    sent = pickle.loads(pickle.dumps(DataError("torn")))
    assert isinstance(sent, DataError)
    assert str(sent) == "torn"


@pytest.mark.parametrize(
    ("error", "no_memory"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5.00 GB)"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_memory_that_ran_out_is_known_by_what_each_library_says(error, no_memory):
    assert ran_out_of_memory(error) is no_memory


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("Toy", ["toy"], "did you mean toy?"),
        ("lerning_rate", ["learning_rate", "batch_size"], "did you mean learning_rate?"),
        ("", ["b", "a"], "known: a, b"),
        ("zzz", ["a", "a", "b"], "known: a, b"),
        ("zzz", (name for name in ("b", "a")), "known: a, b"),
    ],
)
def test_a_hint_names_what_was_meant_or_what_there_is_once_and_in_order(name, known, hint):
    assert nearest(name, known) == hint


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=30, unique=True))
def test_a_name_that_is_there_is_its_own_nearest(known):
    assert nearest(known[0], known).startswith(f"did you mean {known[0]}")
