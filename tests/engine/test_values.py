"""Values of settings, read as their types or refused with a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from harness import UsageError
from harness.api.bounds import Range
from harness.engine.config import read_value
from harness.engine.values import convert, make_options


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("3", int, 3),
        (3, float, 3.0),
        ("1e-3", float, 1e-3),
        (7, str, "7"),
        (True, bool, True),
        ("none", int | None, None),
        ("4", int | None, 4),
        ("a, b", tuple[str, ...], ("a", "b")),
        ("sft", tuple[str, ...], ("sft",)),
        ([1, 2], list[int], [1, 2]),
        (["a"], Sequence[str], ("a",)),
        ([0.9, 1], tuple[float, float], (0.9, 1.0)),
        (["a", 2], tuple[str, int], ("a", 2)),
        ("there", Path, Path("there")),
        ("b", Literal["a", "b"], "b"),
        ({"a": 1}, Mapping[str, Any], {"a": 1}),
        ({"a": "2", "b": 3}, Mapping[str, float], {"a": 2.0, "b": 3.0}),
        ({"a": 1}, str | Mapping[str, float], {"a": 1.0}),
        ("rm", str | Mapping[str, float], "rm"),
        (5, Annotated[int, Range(least=1)], 5),
        ("anything", Any, "anything"),
    ],
)
def test_a_value_is_read_as_its_type(value, kind, expected):
    found = convert(value, kind, "key", "flag")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (True, int, "key = True (flag) is no whole number"),
        (1.5, int, "key = 1.5 (flag) is no whole number"),
        ("x", float, "key = 'x' (flag) is no number"),
        (float("inf"), float, "key = inf (flag) is no number"),
        (10**400, float, "is no number"),
        ("yes", bool, "key = 'yes' (flag) is no true or false"),
        ([1], str, "key = [1] (flag) is no text"),
        ("1", tuple[float, float], "key = '1' (flag) must hold 2 values"),
        ("c", Literal["a", "b"], "key = 'c' (flag) is unknown"),
        (3, Path, "key = 3 (flag) is no path"),
        (3, Mapping[str, Any], "key = 3 (flag) is no"),
        ({"a": 1, "b": "x"}, Mapping[str, float], "key.b = 'x' (flag) is no number"),
        ({"a": True}, str | Mapping[str, float], "key.a = True (flag) is no number"),
        ("9" * 5000, int, "is no whole number"),
        ([[]] * 3, tuple[int, ...], "key = [] (flag) is no whole number"),
    ],
)
def test_a_value_of_another_type_is_refused_in_a_sentence(value, kind, said):
    with pytest.raises(UsageError) as refused:
        convert(value, kind, "key", "flag")
    assert said in refused.value.message
    assert len(refused.value.message) < 200


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 5000, "{", "1.2.3", "", "\x00"])
def test_text_that_is_no_toml_is_read_as_the_text_it_is(text):
    assert read_value(text) == text


@dataclass(frozen=True)
class Options:
    folder: Path = Path()
    mode: Literal["fast", "slow"] = "fast"
    names: list[str] = None  # type: ignore[assignment]
    depth: Annotated[int, Range(least=1, most=9)] = 2


def test_options_of_every_type_are_read():
    given = {"folder": "a/b", "mode": "slow", "names": "x,y", "depth": "3"}
    assert make_options(Options, given, "m") == Options(Path("a/b"), "slow", ["x", "y"], 3)


def test_an_option_out_of_bounds_is_refused_by_its_field():
    with pytest.raises(UsageError, match=r"model\.depth is 10, it must be at least 1 and at most 9"):
        make_options(Options, {"depth": 10}, "m")
