"""What a plugin's code is known by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.engine.plugin_manager import files_digest

PLUGIN = """
from harness import TaskEntry, hookimpl


@hookimpl
def harness_tasks():
    return [TaskEntry("mine", "a task", f"{__name__}:Mine")]
"""


def test_a_plugin_edited_while_it_runs_keeps_the_digest_of_what_was_loaded(
    load: Callable[..., Any], write_plugin: Callable[..., Path]
) -> None:
    path = write_plugin(PLUGIN, "edited")
    (plugin,) = load(path, bundled=False).plugins.loaded
    before = plugin.files_digest()
    path.write_text(PLUGIN + "# another line\n")
    assert plugin.files_digest() == before
    (again,) = load(path, bundled=False).plugins.loaded
    assert again.files_digest() != before


def test_data_that_lies_in_a_plugins_package_is_part_of_it_and_its_pages_are_not(tmp_path: Path) -> None:
    package = ModuleType("mine")
    package.__file__ = str(tmp_path / "__init__.py")
    for name in ("__init__.py", "facts.tsv", "README.md"):
        (tmp_path / name).write_text("one")
    before = files_digest(package)
    (tmp_path / "README.md").write_text("two")
    assert files_digest(package) == before
    (tmp_path / "facts.tsv").write_text("two")
    assert files_digest(package) != before
