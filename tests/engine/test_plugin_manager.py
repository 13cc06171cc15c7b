"""Listeners are called one by one, wrappers around them, and what fails costs the others nothing."""

from __future__ import annotations

import sys

import pytest

LISTENERS = """
    from harness import hookimpl

    heard = []

    class Outer:
        @hookimpl({how}=True)
        def harness_run_failed(self, reason):
            heard.append(f"before {{reason}}")
            {around}
            heard.append("after")
            {end}

    class Inner:
        @hookimpl
        def harness_run_failed(self, spec, reason, directory):
            heard.append(f"{{spec}} in {{directory}}")

    class Broken:
        @hookimpl
        def harness_run_failed(self):
            raise ValueError("no dashboard")

    @hookimpl
    def harness_metrics():
        return []
"""


@pytest.mark.parametrize(
    ("how", "around", "end"), [("wrapper", "got = yield", "return got"), ("hookwrapper", "yield", "")]
)
def test_a_wrapper_of_a_notification_runs_around_the_other_listeners(load, write_plugin, how, around, end):
    path = write_plugin(LISTENERS.format(how=how, around=around, end=end))
    plugins = load(path, bundled=False).plugins
    module = sys.modules[path.stem]
    for listener in (module.Outer(), module.Inner(), module.Broken()):
        plugins.manager.register(listener)
    failures = plugins.notify("harness_run_failed", spec="s", reason="r", directory="d")
    assert module.heard == ["before r", "s in d", "after"]
    (failure,) = failures
    assert failure.startswith("harness_run_failed of plugin") and "no dashboard" in failure


def test_a_plugin_of_verbs_alone_has_no_part_in_a_run(load):
    loaded = {plugin.name: plugin for plugin in load().plugins.loaded}
    assert not loaded["leaderboards"].takes_part and loaded["leaderboards"].ok
    assert loaded["scimind"].takes_part and "harness_verbs" in loaded["scimind"].hooks
