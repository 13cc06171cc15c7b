"""Listeners are called one by one, wrappers around them, and what fails costs the others nothing."""

from __future__ import annotations

import sys

import pytest

from harness import PluginError

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


@pytest.mark.parametrize("name", ["numpy", "json", "colorsys"])
def test_a_file_with_the_name_of_a_library_never_becomes_it(load, tmp_path, name):
    path = tmp_path / f"{name}.py"
    path.write_text("raise SystemExit('executed')")
    before = sys.modules.get(name)
    with pytest.raises(PluginError, match=f"the name '{name}' is already taken"):
        load(path, bundled=False)
    assert sys.modules.get(name) is before


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("def harness_prompt(modle, task): ...", "'modle', which it is never given; did you mean model"),
        ("def harness_tasks(registry): ...", "'registry', which it is never given; it is given nothing"),
    ],
)
def test_a_hook_with_a_wrong_argument_is_refused_by_its_name(load, write_plugin, hook, said):
    path = write_plugin(f"from harness import hookimpl\n\n@hookimpl\n{hook}\n")
    with pytest.raises(PluginError, match=said):
        load(path, bundled=False)


@pytest.mark.parametrize(
    "raised", ["GeneratorExit", "asyncio.CancelledError", "SystemExit(3)", "BaseException('x')"]
)
def test_whatever_a_plugin_raises_at_import_is_its_own_reason(load, write_plugin, raised):
    path = write_plugin(f"import asyncio\nraise {raised}\n")
    with pytest.raises(PluginError, match="cannot be used"):
        load(path, bundled=False)


def test_ctrl_c_at_import_is_the_user_s(load, write_plugin):
    path = write_plugin("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load(path, bundled=False)
