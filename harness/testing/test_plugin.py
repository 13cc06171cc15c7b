"""Holds the plugin that `--plugin` names to the conformance kit."""

from __future__ import annotations

from .checking import Check, run_check
from .loading import Item
from .suite import hold


def test_conforms(item: Item, check: Check) -> None:
    """Run one check."""
    hold(run_check(item, check))
