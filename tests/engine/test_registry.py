"""Names to entries to classes, and whose fault it is when one cannot be imported."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness import (
    DuplicateName,
    MetricEntry,
    MissingDependency,
    ModelEntry,
    PluginError,
    TaskEntry,
    UsageError,
)
from harness.engine.plugin_manager import LoadedPlugin, Plugins
from harness.engine.registry import Registered, Registry, Shelf, load_target


def plugin(name: str, *entries: object, origin: str = "installed") -> LoadedPlugin:
    return LoadedPlugin(name, origin, name, module=ModuleType(name), entries=list(entries))  # type: ignore[arg-type]


def registry(*plugins: LoadedPlugin) -> Registry:
    loaded = Plugins()
    loaded.loaded = list(plugins)
    return Registry(loaded)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that writes a package whose modules can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**modules: str) -> None:
        folder = tmp_path / "stranger"
        folder.mkdir()
        for name, text in {"__init__": "", **modules}.items():
            (folder / f"{name}.py").write_text(text)

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "stranger"]:
        del sys.modules[name]


def test_an_entry_is_found_by_its_short_name_while_that_is_unique_and_by_its_full_name_always():
    first, second = ModelEntry("m", "", "a:M"), ModelEntry("m", "", "b:M")
    found = registry(plugin("p", first, ModelEntry("p/other", "", "c:M")), plugin("q", second))
    assert found.models.get("p/m").entry is first
    assert found.models.get("q/m").entry is second
    assert found.models.get("p/other").full_name == "p/other"
    assert found.models.names() == ["p/m", "p/other", "q/m"]
    with pytest.raises(DuplicateName, match="model name 'm' is claimed by") as refused:
        found.models.get("m")
    assert refused.value.hint == "write p/m or q/m"


def test_a_plugin_that_asks_by_a_short_name_means_its_own_and_else_ours():
    ours = plugin("metrics", MetricEntry("f1", "", "a:f"), origin="bundled")
    own = plugin("p", MetricEntry("f1", "", "b:f"))
    shelf = registry(ours, own, plugin("q", MetricEntry("f1", "", "c:f"))).metrics
    assert shelf.get("f1", near=own).plugin is own
    assert shelf.get("f1", near=plugin("nobody")).plugin is ours


def test_a_name_that_nothing_has_gets_the_nearest():
    with pytest.raises(UsageError, match="no model named 'ecko'") as refused:
        registry(plugin("p", ModelEntry("echo", "", "a:M"))).models.get("ecko")
    assert refused.value.hint == "did you mean echo?"


def test_a_group_is_its_members_and_a_task_is_itself():
    group = TaskEntry("g", "", members=("p/one", "p/two"))
    found = registry(plugin("p", group, TaskEntry("one", "", "a:T"), TaskEntry("two", "", "a:T")))
    assert [item.entry.name for item in found.expand("g")] == ["one", "two"]
    assert [item.entry.name for item in found.expand("one")] == ["one"]


def test_what_an_entry_needs_is_asked_for_by_the_line_that_installs_it():
    entry = ModelEntry("m", "", "a:M", requires=("json", "no_such_library", "rouge_score_absent"))
    with pytest.raises(
        MissingDependency, match="'m' needs no_such_library and rouge_score_absent"
    ) as refused:
        Registered(entry, plugin("p")).load()
    assert refused.value.hint == "pip install no_such_library rouge_score_absent"


@pytest.mark.parametrize(
    ("modules", "target", "kind", "said"),
    [
        ({}, "stranger.model:M", PluginError, "points at module 'stranger.model', which does not exist"),
        ({}, "stranger.deep.model:M", PluginError, "points at module 'stranger.deep.model'"),
        (
            {"model": "import stranger.gone"},
            "stranger.model:M",
            PluginError,
            "it has no module 'stranger.gone'",
        ),
        ({"model": "from . import gone"}, "stranger.model:M", PluginError, "fails to import: ImportError"),
        (
            {"model": "from .gone import x"},
            "stranger.model:M",
            PluginError,
            "it has no module 'stranger.gone'",
        ),
        ({"model": "import no_such_library"}, "stranger.model:M", MissingDependency, "needs no_such_library"),
        ({"model": "1 / 0"}, "stranger.model:M", PluginError, "fails to import: ZeroDivisionError"),
        ({"model": "raise SystemExit(1)"}, "stranger.model:M", PluginError, "fails to import: SystemExit"),
        ({"model": "Model = 1"}, "stranger.model:Modl", PluginError, "stranger.model has no 'Modl'"),
        ({}, "stranger", PluginError, "has the target 'stranger'"),
        ({}, ":M", PluginError, "has the target ':M'"),
    ],
)
def test_whatever_cannot_be_imported_is_laid_at_the_right_door(package, modules, target, kind, said):
    package(**modules)
    with pytest.raises(kind) as refused:
        load_target(target, "'m' of plugin 'p'")
    assert said in refused.value.message
    if kind is MissingDependency:
        assert refused.value.hint == "pip install no_such_library"


def test_a_target_that_is_there_is_returned(package):
    package(model="class M: pass")
    assert load_target("stranger.model:M", "x").__name__ == "M"
    shelf = Shelf("model", [Registered(ModelEntry("m", "", "stranger.model:M"), plugin("p"))])
    assert [item.load().__name__ for item in shelf] == ["M"]
