"""The public face: what plugins may import, the tree of errors, and the exact prompt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness import HarnessError, PromptFormat, UsageError, nearest

ROOT = Path(__file__).resolve().parents[2]
CODES = {
    "HarnessError": 1,
    "UsageError": 2,
    "PluginError": 3,
    "DuplicateName": 3,
    "MissingDependency": 3,
    "DataError": 4,
    "RunLocked": 4,
    "StageError": 5,
    "LostProcess": 5,
    "TryAgain": 5,
}


def test_everything_that_is_offered_exists_once_and_in_order():
    from harness import api

    offered: list[str] = vars(harness)["__all__"]
    assert all(hasattr(harness, name) for name in offered)
    assert offered == [*api.__all__, "__version__"]
    assert sorted(api.__all__) == api.__all__


def test_each_error_has_its_exit_code_and_a_hint():
    offered = {name: getattr(harness, name) for name in vars(harness)["__all__"]}
    found = {n: v for n, v in offered.items() if isinstance(v, type) and issubclass(v, HarnessError)}
    assert {name: kind.exit_code for name, kind in found.items()} == CODES
    error = harness.DataError("it is empty", hint="fill it")
    assert (str(error), error.message, error.hint) == ("it is empty", "it is empty", "fill it")


def test_the_vocabulary_needs_the_standard_library_and_pluggy_alone():
    code = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import harness; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names) - {'harness', 'pluggy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_three_ways_to_start_are_one_program(run_bench, tmp_path):
    module = subprocess.run(
        [sys.executable, "-m", "harness", "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert module.stdout == run_bench("--help").out


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("lpm42", ["lpm24", "chebi20"], "did you mean lpm24?"),
        ("zzz", ["b", "a"], "known: a, b"),
        ("zzz", [], ""),
        (
            "zzz",
            [f"n{i:02d}" for i in range(14)],
            "known: " + ", ".join(f"n{i:02d}" for i in range(12)) + " and 2 more",
        ),
    ],
)
def test_a_name_that_is_not_found_gets_a_suggestion(name, known, said):
    assert nearest(name, known) == said


def test_a_prompt_demands_every_input_it_names():
    prompt = PromptFormat("p", "{a} and {b}: {{json}}")
    assert prompt.render({"a": "1", "b": "{a}"}) == "1 and {a}: {json}"
    with pytest.raises(UsageError, match="prompt 'p' needs input b, the example has a"):
        prompt.render({"a": "1"})


@given(st.text(max_size=10), st.text(max_size=10))
def test_prompts_that_differ_have_other_digests(one, other):
    first, second = PromptFormat("p", one).digest, PromptFormat("p", other).digest
    assert (first == second) == (one == other)
