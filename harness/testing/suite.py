"""The kit under pytest: one test for each check of each thing that a plugin brings.

pytest is imported where it is used: the command line checks plugins without it.
"""

from __future__ import annotations

from collections.abc import Callable

from .checking import Check, Result, checks_of, run_check
from .loading import Item, subject_of


def conforms(plugin: str) -> Callable[[Item, Check], None]:
    """Return a test of a plugin, to be bound to a name that begins with `test_`."""
    import pytest

    @pytest.mark.parametrize(("item", "check"), parameters(plugin))
    def test(item: Item, check: Check) -> None:
        hold(run_check(item, check))

    return test


def parameters(plugin: str) -> list[object]:
    """Return the checks of a plugin as pytest takes them."""
    import pytest

    found = checks_of(subject_of(plugin))
    return [pytest.param(item, check, id=f"{item.name}-{check.name}") for item, check in found]


def hold(result: Result) -> None:
    """Fail or skip a test as a check did."""
    import pytest

    if result.status == "skipped":
        pytest.skip(result.saw)
    if result.status == "failed":
        pytest.fail(str(result), pytrace=False)
