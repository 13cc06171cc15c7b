"""Plugins are found, loaded one by one, and kept from hurting each other."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from harness import DuplicateName, MetricEntry, ModelEntry, PluginError, TaskEntry, hookimpl
from harness.engine.fitting import release
from harness.engine.plugin_manager import (
    LoadedPlugin,
    Plugins,
    blamed,
    bundled_modules,
    files_digest,
    load_plugins,
)


def module(name: str = "stranger", **functions: Callable[..., object]) -> ModuleType:
    made = ModuleType(name)
    for hook, function in functions.items():
        function.__name__ = hook
        setattr(made, hook, hookimpl(function))
    return made


def added(made: ModuleType, origin: str = "installed", plugins: Plugins | None = None) -> LoadedPlugin:
    plugin = LoadedPlugin(made.__name__, origin, made.__name__)
    (plugins or Plugins()).add(plugin, lambda: made)
    return plugin


def models(*entries: object) -> Callable[[], list[object]]:
    return lambda: list(entries)


GOOD = ModelEntry("m", "a model", "a:B")


def test_what_a_plugin_brings_is_kept_with_it():
    plugin = added(module(harness_models=models(GOOD), harness_tasks=models(TaskEntry("t", "", "a:T"))))
    assert (plugin.ok, plugin.reason, set(plugin.entries)) == (True, "", {GOOD, TaskEntry("t", "", "a:T")})
    assert set(plugin.hooks) == {"harness_models", "harness_tasks"}


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        ({}, "it implements no hook"),
        ({"harness_modls": models()}, "unknown hook 'harness_modls'; did you mean harness_models"),
        ({"harness_models": lambda: 7}, "returned 7, which is no list of ModelEntry"),
        ({"harness_models": models("m")}, "returned 'm', which is no ModelEntry"),
        ({"harness_models": models(GOOD, GOOD)}, "it brings the model 'm' twice"),
        ({"harness_models": models(ModelEntry("../up", "", "a:B"))}, "is not made of letters"),
        ({"harness_models": models(ModelEntry("m", 7, "a:B"))}, "summary of the model 'm' is 7"),  # type: ignore[arg-type]
        (
            {"harness_models": models(ModelEntry("m", "", "a:B", requires="torch"))},  # type: ignore[arg-type]
            "requires of the model 'm' is 'torch', which is no tuple of texts",
        ),
        ({"harness_metrics": models(MetricEntry(None, "", "a:b"))}, "the metric name 'None'"),  # type: ignore[arg-type]
        ({"harness_models": lambda: 1 / 0}, "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_used_is_taken_out_whole_with_its_reason(functions, reason):
    plugins = Plugins()
    plugin = added(module(**functions), plugins=plugins)
    assert not plugin.ok
    assert reason in plugin.reason
    assert plugin.entries == []
    assert plugins.broken == [plugin]
    assert plugins.manager.get_plugins() == set()


def test_a_hook_that_was_not_marked_is_named():
    made = ModuleType("stranger")
    made.harness_tasks = lambda: []  # type: ignore[attr-defined]
    assert added(made).reason.endswith("harness_tasks is not marked with @hookimpl")


def test_a_plugin_for_another_api_and_one_of_a_taken_name_are_refused():
    other = module(harness_models=models(GOOD))
    other.HARNESS_API_VERSION = 99  # type: ignore[attr-defined]
    assert added(other).reason == f"written for plugin API 99, this is API 1: upgrade {release()}"
    other.HARNESS_API_VERSION = "1"  # type: ignore[attr-defined]
    assert added(other).reason == "HARNESS_API_VERSION is '1', which is no whole number"
    plugins = Plugins()
    added(module(harness_models=models(GOOD)), plugins=plugins)
    again = added(module(harness_models=models()), plugins=plugins)
    assert "plugin name 'stranger' is already taken" in again.reason


@pytest.mark.parametrize("fault", [ImportError("gone"), SystemExit(3), ValueError("no\nsecond line")])
def test_whatever_importing_raises_is_a_reason_of_one_line(fault):
    def load() -> ModuleType:
        raise fault

    plugin = LoadedPlugin("p", "installed", "p")
    Plugins().add(plugin, load)
    assert plugin.reason
    assert "\n" not in plugin.reason


def test_a_user_who_gives_up_is_told_which_plugin_was_loading():
    def load() -> ModuleType:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stop:
        Plugins().add(LoadedPlugin("slow", "installed", "slow"), load)
    assert stop.value.__notes__ == ["plugin 'slow' was loading; --no-plugin slow leaves it out"]


def test_every_listener_hears_and_one_that_fails_costs_the_others_nothing():
    plugins, heard = Plugins(), []

    def fails(spec, reason):
        raise ValueError("no idea")

    def hears(reason):
        heard.append(reason)

    added(module("one", harness_run_failed=fails), plugins=plugins)
    added(module("two", harness_run_failed=hears), plugins=plugins)
    failures = plugins.notify("harness_run_failed", spec=None, reason="because", directory=Path())
    assert heard == ["because"]
    assert failures == ["harness_run_failed of plugin 'one' failed: ValueError('no idea')"]


def test_the_nearest_plugin_answers_a_question_and_a_wrong_answer_is_its_fault():
    plugins = Plugins()
    added(module("far", harness_render_leaderboard=lambda board, format: "far"), plugins=plugins)
    assert plugins.ask("harness_render_leaderboard", str, board=None, format="x") == "far"
    added(module("near", harness_render_leaderboard=lambda board, format: "near"), plugins=plugins)
    assert plugins.ask("harness_render_leaderboard", str, board=None, format="x") == "near"
    added(module("odd", harness_render_leaderboard=lambda board, format: 7), plugins=plugins)
    with pytest.raises(PluginError, match="returned 7, which is no str"):
        plugins.ask("harness_render_leaderboard", str, board=None, format="x")


def test_a_wrapper_of_a_question_has_the_last_word_on_its_answer():
    plugins = Plugins()
    added(module("answers", harness_render_leaderboard=lambda board, format: "plain"), plugins=plugins)

    def around(board, format):
        return f"({(yield)})"

    around.__name__ = "harness_render_leaderboard"
    wrapping = ModuleType("wraps")
    wrapping.harness_render_leaderboard = hookimpl(wrapper=True)(around)  # type: ignore[attr-defined]
    added(wrapping, plugins=plugins)
    assert plugins.ask("harness_render_leaderboard", str, board=None, format="x") == "(plain)"


def test_what_a_plugins_code_raises_is_told_with_its_name():
    with pytest.raises(PluginError, match="task 't' failed: KeyError"), blamed("task 't'"):
        dict[str, int]()["absent"]
    with pytest.raises(DuplicateName, match="as it is"), blamed("task 't'"):
        raise DuplicateName("as it is")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gone.py", None, "there is no file"),
        ("folder/", None, "it is a folder"),
        ("data.txt", "x", "is no Python file"),
        ("broken.py", "def", "SyntaxError"),
        ("json.py", "x = 1", "is already taken by another module"),
        ("empty.py", "", "it implements no hook"),
    ],
)
def test_a_local_plugin_that_cannot_be_used_is_fatal(tmp_path, name, text, said):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    elif name.endswith("/"):
        path.mkdir()
    place = f"{path}/" if name.endswith("/") else f"{tmp_path}/{name}"
    with pytest.raises(PluginError) as refused:
        load_plugins([place], entry_points=False, bundled=False)
    assert said in refused.value.message
    assert name.rstrip("/") in refused.value.message


def test_a_local_plugin_is_read_as_it_stands(write_plugin):
    text = "from harness import ModelEntry, hookimpl\n@hookimpl\ndef harness_models():\n"
    path = write_plugin(text + '    return [ModelEntry("a", "", "x:Y")]\n', "local_one")
    loaded = load_plugins([str(path)], entry_points=False, bundled=False)
    assert [entry.name for entry in loaded.loaded[0].entries] == ["a"]
    before = loaded.loaded[0].files_digest()
    write_plugin(text + '    return [ModelEntry("b", "", "x:Y")]\n', "local_one")
    assert loaded.loaded[0].files_digest() == before  # no code that runs has changed
    assert files_digest(sys.modules["local_one"]) != before


def test_a_plugin_can_be_left_out_and_all_that_are_bundled_are_good():
    names = {plugin.name for plugin in load_plugins(exclude=["toy"], entry_points=False).loaded}
    assert "toy" not in names
    loaded = load_plugins(entry_points=False)
    assert loaded.broken == []
    assert len(loaded.loaded) == len(bundled_modules())
    assert all(plugin.heavy == () for plugin in loaded.loaded)
