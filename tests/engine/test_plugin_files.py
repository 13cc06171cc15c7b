"""What a plugin's code is known by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
