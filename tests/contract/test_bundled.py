"""Every bundled plugin, and the examples, pass the conformance kit that strangers' plugins are held to."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.engine.plugin_manager import bundled_modules
from harness.testing import checks_of, run_check, subject_of

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("iupac", "functional_groups", "synthetic_accessibility", "trigrams", "tracker")
EXAMPLES = [str(ROOT / "examples" / f"{name}.py") for name in PLUGINS]


@pytest.mark.parametrize("plugin", [*bundled_modules(), *EXAMPLES])
def test_a_bundled_plugin_conforms(plugin: str) -> None:
    results = [run_check(item, check) for item, check in checks_of(subject_of(plugin))]
    assert any(result.status == "passed" for result in results)
    assert [str(result) for result in results if result.status == "failed"] == []
