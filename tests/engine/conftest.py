"""A registry of the bundled plugins, and a bench of one's own that works with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.api.run import SilentProgress
from harness.engine.plugin_manager import load_plugins
from harness.engine.prepared import Bench
from harness.engine.registry import Registry


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(load_plugins(entry_points=False))


@pytest.fixture
def bench(registry: Registry, tmp_path: Path) -> Bench:
    return Bench(registry, tmp_path / "runs", SilentProgress())
