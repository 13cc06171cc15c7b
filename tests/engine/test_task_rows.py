"""Rows of a task that are of other types than they say are refused with their place."""

from __future__ import annotations

from typing import Any

import pytest

from harness import Example, PluginError
from harness.engine.data import _checked

NUMBERED: dict[str, Any] = {"word": 5}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Example("1", {}, "abc"), "row '1': its references are 'abc', which is no tuple of texts"),
        (Example("1", {}, ({"a": 1},)), "its references are ({'a': 1},)"),
        (Example("1", {}, (None,)), "its references are (None,)"),
        (Example("1", {}, (5,)), "its references are (5,)"),
        (Example("1", {}, ("a",), choices=["a"]), "its choices are ['a'], which is no tuple"),
        (Example("1", NUMBERED, ("a",)), "its input 'word' is 5, which is no text"),
    ],
)
def test_a_row_of_other_types_is_its_tasks_fault(row, said):
    with pytest.raises(PluginError) as caught:
        list(_checked([row], "mine", "test"))
    assert "task 'mine', split 'test'" in caught.value.message and said in caught.value.message
