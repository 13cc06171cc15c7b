"""The hooks: each is said in a sentence, gets what it names, and is asked in the way its kind is."""

from __future__ import annotations

import inspect
from pathlib import Path

import pluggy
import pytest

from harness import API_VERSION, LaunchSpec, ModelEntry, PromptFormat, RunSpec, hookimpl
from harness.api import hooks

HOOKS = sorted(name for name in dir(hooks) if name.startswith("harness_"))
COLLECTING = ("models", "tasks", "metrics", "verbs", "retrievers", "stages")
ASKING = ("prompt", "launch", "render_leaderboard")
NOTIFYING = ("run_started", "event", "stage_finished", "run_finished", "run_failed")


@pytest.fixture
def manager() -> pluggy.PluginManager:
    made = pluggy.PluginManager(hooks.PROJECT)
    made.add_hookspecs(hooks)
    return made


def test_these_are_all_the_hooks_there_are():
    assert sorted(f"harness_{name}" for name in COLLECTING + ASKING + NOTIFYING) == HOOKS


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_says_when_it_is_called(name):
    assert (inspect.getdoc(getattr(hooks, name)) or "").startswith("Called ")


@pytest.mark.parametrize("name", COLLECTING)
def test_what_collects_is_called_with_nothing_and_heard_from_everybody(manager, name):
    hook = getattr(manager.hook, f"harness_{name}")
    assert hook.spec.argnames == ()
    assert not hook.spec.opts["firstresult"]


@pytest.mark.parametrize("name", ASKING)
def test_what_asks_takes_the_first_answer(manager, name):
    assert getattr(manager.hook, f"harness_{name}").spec.opts["firstresult"]


@pytest.mark.parametrize("name", NOTIFYING)
def test_what_notifies_expects_no_answer(manager, name):
    hook = getattr(manager.hook, f"harness_{name}")
    assert not hook.spec.opts["firstresult"]
    assert inspect.signature(getattr(hooks, f"harness_{name}")).return_annotation == "None"


def test_every_plugin_is_heard_and_may_take_fewer_arguments_than_it_is_given(manager):
    class First:
        @hookimpl
        def harness_models(self) -> list[ModelEntry]:
            return [ModelEntry("a", "s", "t:T")]

        @hookimpl
        def harness_run_started(self, directory: Path) -> None:
            started.append(directory)

    class Second:
        @hookimpl
        def harness_models(self) -> list[ModelEntry]:
            return [ModelEntry("b", "s", "t:T")]

    started: list[Path] = []
    manager.register(First())
    manager.register(Second())
    found = [entry.name for entries in manager.hook.harness_models() for entry in entries]
    assert sorted(found) == ["a", "b"]
    manager.hook.harness_run_started(spec=RunSpec("m", "t"), directory=Path("d"))
    assert started == [Path("d")]


def test_the_plugin_that_came_last_decides_and_one_that_declines_leaves_it_to_the_others(manager):
    class Bundled:
        @hookimpl(trylast=True)
        def harness_prompt(self, model: str, task: str) -> PromptFormat:
            return PromptFormat("bundled", "{a}")

        @hookimpl(trylast=True)
        def harness_launch(self, launch: LaunchSpec) -> bool | None:
            return None if launch.kind == "inline" else True

    class Near:
        @hookimpl
        def harness_prompt(self, task: str) -> PromptFormat | None:
            return PromptFormat("near", "{a}") if task == "mine" else None

    manager.register(Near())
    manager.register(Bundled())
    assert manager.hook.harness_prompt(model="m", task="mine").name == "near"
    assert manager.hook.harness_prompt(model="m", task="other").name == "bundled"
    launched = manager.hook.harness_launch
    assert launched(launch=LaunchSpec(), stage="train", directory=Path()) is None
    assert launched(launch=LaunchSpec("torchrun"), stage="train", directory=Path()) is True


def test_a_misspelled_hook_is_found_when_it_is_asked_for(manager):
    class Misspelled:
        @hookimpl
        def harness_model(self) -> None:
            """Is never called."""

    manager.register(Misspelled())
    with pytest.raises(pluggy.PluginValidationError, match="harness_model"):
        manager.check_pending()


def test_plugins_are_written_for_a_version_that_is_a_number():
    assert API_VERSION == 1
