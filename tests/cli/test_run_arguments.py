"""What flags, environment and files ask for, and what is said of plugins that cannot be used."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import PluginError, UsageError
from harness.cli.parser import Parser
from harness.cli.run_arguments import (
    add_run_arguments,
    asked_for,
    local_plugins,
    named,
    open_registry,
    warn_of_broken,
)
from harness.engine.config import Asked


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("HARNESS_")]:
        monkeypatch.delenv(name)


def parsed(*arguments: str) -> argparse.Namespace:
    parser = Parser(allow_abbrev=False)
    add_run_arguments(parser)
    return parser.parse_args(arguments)


def asked(*arguments: str) -> Asked:
    return asked_for(parsed(*arguments))


def flags(*arguments: str) -> dict[str, object]:
    return {key: setting.value for key, setting in asked(*arguments).layers[-1].items()}


def test_what_is_not_given_leaves_no_trace():
    assert flags("--model", "toy", "--task", "toy") == {}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--limit", "5"), {"data.limit": 5}),
        (("--skip-bad-rows",), {"data.skip_bad_rows": True}),
        (("--epochs", "1.5"), {"train.epochs": 1.5}),
        (("--dtype", "bf16"), {"train.precision": "bf16", "generate.precision": "bf16"}),
        (("--processes", "2"), {"train.launch.processes": 2, "generate.processes": 2}),
        (("--deterministic",), {"generate.deterministic": True}),
        (("--no-train",), {"stages": ()}),
        (("--stage", "sft"), {"stages": ("sft",)}),
        (("--trust-remote-code",), {"model.trust_remote_code": True}),
        (("--set", "train.learning_rate=1e-3"), {"train.learning_rate": 1e-3}),
        (("--set", "task.shots=3", "--set", "task.shots=4"), {"task.shots": 4}),
        (("--limit", "5", "--set", "data.limit=6"), {"data.limit": 6}),
        (("--quiet", "--json", "--offline", "--debug", "--vocab", "x", "--other-prompt"), {}),
    ],
)
def test_each_flag_is_the_setting_that_it_stands_for(arguments, found):
    assert flags(*arguments) == found


@pytest.mark.parametrize(
    "arguments", [("--epochs", "1", "--max-steps", "2"), ("--no-train", "--stage", "sft")]
)
def test_flags_that_contradict_each_other_are_refused(arguments):
    with pytest.raises(UsageError, match="not allowed with argument"):
        parsed(*arguments)


def test_models_tasks_and_seeds_are_lists():
    found = asked("--model", "a, b", "--task", "c", "--seeds", "1,2")
    assert (found.models, found.tasks, found.seeds) == (("a", "b"), ("c",), (1, 2))


def test_runs_are_kept_where_the_strongest_layer_says(monkeypatch, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("[run]\noutput = 'of-file'\n")
    assert asked().output == Path("runs")
    assert asked("--config", str(file)).output == Path("of-file")
    monkeypatch.setenv("HARNESS_OUTPUT", "of-environment")
    assert asked("--config", str(file)).output == Path("of-environment")
    assert asked("--config", str(file), "--output", "of-flag").output == Path("of-flag")


def test_plugins_of_every_layer_are_loaded(monkeypatch, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("[run]\nplugins = ['a.py']\n")
    monkeypatch.setenv("HARNESS_PLUGINS", "b.py,c.py")
    assert asked("--config", str(file), "--plugin", "d.py").plugins == ("a.py", "b.py", "c.py", "d.py")
    assert local_plugins(parsed("--plugin", "d.py")) == ["b.py", "c.py", "d.py"]


def test_offline_is_a_flag_or_the_environment(monkeypatch):
    args = parsed()
    asked_for(args)
    assert args.offline is False
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    asked_for(args)
    assert args.offline is True


@pytest.mark.parametrize("text", ["", " "])
def test_nothing_is_no_path(text):
    with pytest.raises(argparse.ArgumentTypeError, match="a path is expected, found nothing"):
        named(text)
    assert named("runs") == Path("runs")


def test_a_plugin_may_be_left_out(odd):
    everything = open_registry(SimpleNamespace(plugin=[str(odd)], no_plugin=[]))  # type: ignore[arg-type]
    without = open_registry(SimpleNamespace(plugin=[str(odd)], no_plugin=["toy"]))  # type: ignore[arg-type]
    assert "toy" in everything.models.names() and "echo" in everything.models.names()
    assert "toy" not in without.models.names() and "echo" in without.models.names()


def broken() -> SimpleNamespace:
    plugin = SimpleNamespace(name="theirs", distribution="their-dist", source="theirs", reason="it is broken")
    return SimpleNamespace(broken=[plugin])


def test_an_installed_plugin_that_is_broken_is_a_line_and_no_failure(capsys):
    warn_of_broken(broken())  # type: ignore[arg-type]
    out, err = capsys.readouterr()
    assert (out, err) == ("", "warning: plugin 'theirs' (their-dist) is not used: it is broken\n")


def test_a_strict_environment_makes_it_fatal(monkeypatch):
    monkeypatch.setenv("HARNESS_STRICT", "1")
    with pytest.raises(PluginError, match="plugin 'theirs'") as caught:
        warn_of_broken(broken())  # type: ignore[arg-type]
    assert "HARNESS_STRICT=1" in caught.value.hint
