"""Lists, cards, plugins and the doctor, for readers and for programs."""

from __future__ import annotations

import json
import os

import pytest


@pytest.mark.parametrize("what", ["models", "tasks", "metrics", "retrievers"])
def test_a_list_has_a_row_for_each_entry_and_says_how_many(main, what):
    rows = json.loads(main("list", what, "--json").out)
    text = main("list", what).out.splitlines()
    assert text[-1] == f"{len(rows)} of {len(rows)} {what}"
    assert [line.split()[0] for line in text[2:-1]] == [row["name"] for row in rows]


def test_a_list_is_filtered_by_tag_kind_and_language(main):
    def names(*flags: str) -> list[str]:
        return [row["name"] for row in json.loads(main("list", "tasks", *flags, "--json").out)]

    assert names("--tag", "toy") == ["toy", "toy-choice", "toys"]
    assert names("--tag", "toy", "--kind", "choose") == ["toy-choice"]
    assert names("--tag", "toy", "--kind", "group") == ["toys"]
    assert names("--tag", "toy", "--lang", "zh") == []


def test_a_name_that_two_shelves_have_shows_both_cards(main):
    done = main("show", "toy")
    assert "kind: model" in done.out
    assert "kind: task (generate)" in done.out
    cards = json.loads(main("show", "toy", "--json").out)
    assert [card["kind"] for card in cards] == ["model", "task (generate)"]
    assert cards[0]["presets"]["tiny"].startswith("counts the letters")


def test_every_entry_has_a_card(main):
    for what in ("models", "tasks", "metrics", "retrievers"):
        for row in json.loads(main("list", what, "--json").out):
            done = main("show", row["name"])
            assert done.code == 0, done.err
            assert done.out.splitlines()[0].endswith(row["full_name"]) or row["name"] in done.out


def test_plugins_are_rows_with_what_they_bring_and_cost(main):
    lines = main("plugins").out.splitlines()
    assert any(line.split()[:3] == ["OK", "toy", "bundled"] and "1 model" in line for line in lines)
    assert lines[-1].endswith("0 bad, API 1")


@pytest.mark.parametrize("source", ["flag", "environment", "config"])
def test_a_plugin_is_named_by_flag_environment_or_config(main, write_plugin, monkeypatch, tmp_path, source):
    plugin = write_plugin(
        """
        from harness import MetricEntry, Score, hookimpl

        @hookimpl
        def harness_metrics():
            return [MetricEntry("half", "one half", f"{__name__}:half")]

        def half(pairs):
            return Score("half", 0.5, len(pairs))
        """,
        "halves",
    )
    command = ["--model", "toy", "--task", "toy", "--metrics", "half", "--json"]
    if source == "flag":
        command += ["--plugin", str(plugin)]
    elif source == "environment":
        monkeypatch.setenv("HARNESS_PLUGINS", str(plugin))
    else:
        (tmp_path / "run.toml").write_text(f'[run]\nplugins = ["{plugin}"]\n')
        command += ["--config", "run.toml"]
    done = main(*command)
    assert done.code == 0, done.err
    assert json.loads(done.out)["runs"][0]["scores"]["half"]["value"] == 0.5
    if source == "environment":  # verbs without a configuration see it too
        assert main("show", "half").code == 0


def test_a_half_registered_plugin_leaves_nothing_behind(load, write_plugin):
    from harness.engine.plugin_manager import load_plugins
    from harness.engine.registry import Registry

    good = write_plugin(
        """
        from harness import ModelEntry, hookimpl

        @hookimpl
        def harness_models():
            return [ModelEntry("half-done", "a model", "x:y")]

        @hookimpl
        def harness_metrics():
            raise RuntimeError("half way")

        @hookimpl
        def harness_event(kind):
            raise AssertionError("a plugin that is not in use was told something")
        """
    )
    import importlib.util
    import sys

    from harness.engine.plugin_manager import LoadedPlugin

    plugins = load_plugins(entry_points=False)

    def module():
        spec = importlib.util.spec_from_file_location("half_done", good)
        made = importlib.util.module_from_spec(spec)
        sys.modules["half_done"] = made
        spec.loader.exec_module(made)
        return made

    plugins.add(LoadedPlugin("half-done", "installed", "half_done"), module)
    del sys.modules["half_done"]
    assert [plugin.reason for plugin in plugins.broken] == ["RuntimeError: half way"]
    assert "half-done" not in Registry(plugins).models.names()
    assert plugins.notify("harness_event", kind="x", facts={}, directory=good) == []


def test_the_doctor_names_what_is_missing_with_the_line_that_mends_it(main, tmp_path):
    done = main("doctor", "--json", "--output", tmp_path / "runs")
    checks = {check["name"]: check for check in json.loads(done.out)}
    assert checks["python"]["state"] == checks["plugins"]["state"] == checks["run folder"]["state"] == "ok"
    assert all(check["mend"] for check in checks.values() if check["state"] != "ok")
    done = main("doctor", "--output", "/proc/runs")
    assert done.code == 1
    assert "BAD" in done.out


def test_the_doctor_goes_on_where_the_system_does_not_say_how_much_memory_is_free(
    main, tmp_path, monkeypatch
):
    def unknown(name: str) -> int:
        raise ValueError("unrecognized configuration name")  # as macOS answers

    monkeypatch.setattr(os, "sysconf", unknown)
    done = main("doctor", "--json", "--output", tmp_path / "runs")
    (memory,) = [check for check in json.loads(done.out) if check["name"] == "memory"]
    assert (memory["state"], memory["found"]) == ("ok", "this system does not say how much is free")
