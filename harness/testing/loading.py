"""The plugin that is checked: found by name or path, loaded like any other, taken apart into items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.api.errors import PluginError, UsageError, nearest
from harness.engine.plugin_manager import LoadedPlugin, Plugins, load_plugins
from harness.engine.registry import Registered, Registry


@dataclass(frozen=True)
class Item:
    """A plugin as a whole, or one thing that it brings; `load` imports that."""

    kind: str
    name: str
    subject: Subject
    entry: Any = None

    def load(self) -> Any:
        """Import what the entry points at."""
        return Registered(self.entry, self.subject.plugin).load()


class Subject:
    """One plugin among all that are loaded."""

    def __init__(self, plugins: Plugins, plugin: LoadedPlugin, asked: str) -> None:
        self.plugins = plugins
        self.plugin = plugin
        self.asked = asked

    @cached_property
    def registry(self) -> Registry:
        """Everything by its name."""
        return Registry(self.plugins)

    def items(self) -> Iterator[Item]:
        """Yield the plugin itself, then all that it brings."""
        yield Item("plugin", self.plugin.name, self)
        for entry in self.plugin.entries:
            kind = type(entry).__name__.removesuffix("Entry").lower()
            yield Item(kind, f"{kind} {entry.name}", self, entry)


def subject_of(name: str) -> Subject:
    """Find a plugin: a file, a module, or the name of a bundled or an installed one."""
    is_file = name.endswith(".py") or "/" in name
    plugins = load_plugins([name] if is_file else [])
    wanted = Path(name).stem if is_file else name
    found = [plugin for plugin in plugins.loaded if wanted in (plugin.name, plugin.source)]
    if not found:
        known = [plugin.name for plugin in plugins.loaded]
        raise UsageError(f"there is no plugin '{name}'", hint=nearest(name, known))
    plugin = found[-1]
    if not plugin.ok:
        raise PluginError(f"plugin '{name}' cannot be used: {plugin.reason}")
    return Subject(plugins, plugin, name)
