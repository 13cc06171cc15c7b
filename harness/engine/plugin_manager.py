"""Finds plugins, loads them one by one, and keeps a broken one from hurting the others.

Sources, in this order: bundled folders, installed entry points of the group `harness`, and what
`--plugin` names. pluggy calls the last registered first, so the nearest plugin wins a firstresult hook.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pluggy

from harness.api import hooks
from harness.api.errors import DuplicateName, HarnessError, PluginError, nearest

from . import bundled as shipped
from . import installed
from .entries import COLLECTING, Entry, check_entry, label
from .fitting import check_version, lacks
from .network import forbidden

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "harness"
HEAVY = ("torch", "transformers", "pandas", "rdkit", "datasets", "evaluate", "deepspeed", "peft", "numpy")

# What a plugin's results can rest on; its pages can change without another run.
HASHED = frozenset((".py", ".toml", ".json", ".jsonl", ".csv", ".tsv", ".txt", ".yaml"))

T = TypeVar("T")


@dataclass(slots=True)
class LoadedPlugin:
    """One plugin as it was found: what it brought, or why it could not be used."""

    name: str
    origin: str  # bundled | installed | local
    source: str  # the module or file it comes from
    distribution: str = ""
    version: str = ""
    reason: str = ""  # empty: it is fine
    seconds: float = 0.0
    heavy: tuple[str, ...] = ()  # heavy libraries that it was the first to import
    module: ModuleType | None = None
    entries: list[Entry] = field(default_factory=list)
    hooks: tuple[str, ...] = ()  # those that it implements
    _digest: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the plugin is in use."""
        return not self.reason

    @property
    def takes_part(self) -> bool:
        """Whether the plugin can have a part in a run: it is in use and brings more than verbs."""
        return self.ok and any(hook != "harness_verbs" for hook in self.hooks)

    def files_digest(self) -> str:
        """Return a hash of what the plugin's results rest on, as it was when it was first asked."""
        # An edit during a long matrix changes no code that runs, and must not make it train anew.
        if self._digest is None:
            self._digest = files_digest(self.module) if self.module is not None else ""
        return self._digest


class _Manager(pluggy.PluginManager):
    """Looks for hooks among a module's functions alone: pluggy looks at every name of it, and at length."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        """Return what marks a hook, or None for what is none."""
        if isinstance(plugin, ModuleType) and not inspect.isroutine(getattr(plugin, name)):
            return None
        return super().parse_hookimpl_opts(plugin, name)


class Plugins:
    """The loaded plugins of one process: a value that is passed along, never a global."""

    def __init__(self) -> None:
        self.manager = _Manager(hooks.PROJECT)
        self.manager.add_hookspecs(hooks)
        self.loaded: list[LoadedPlugin] = []

    @property
    def hook(self) -> Any:
        """The pluggy relay, which `notify` and `ask` call so that a stranger's fault is named."""
        return self.manager.hook

    @property
    def broken(self) -> list[LoadedPlugin]:
        """Plugins that were found and could not be used."""
        return [plugin for plugin in self.loaded if not plugin.ok]

    def notify(self, hook: str, **arguments: Any) -> list[str]:
        """Call each listener of a notification in its own try; return what failed, for the log.

        A wrapper runs to its `yield` before the others, and on from there after them.
        """
        failures: list[str] = []
        listeners = getattr(self.hook, hook).get_hookimpls()
        around = [impl for impl in listeners if impl.wrapper or impl.hookwrapper]
        waiting = []
        for listener in [*around, *(impl for impl in listeners if impl not in around)]:
            with _noted(listener, failures):
                answer = _called(listener, arguments)
                if listener in around:
                    next(answer)
                    waiting.append((listener, answer))
        for listener, rest in reversed(waiting):
            with _noted(listener, failures), suppress(StopIteration):
                rest.send(pluggy.Result([], None) if listener.hookwrapper else [])
        return failures

    def ask(self, hook: str, kind: type[T], **arguments: Any) -> T | None:
        """Return the first answer to a question; one that fails or has another type is its plugin's fault."""
        for whose, call in self._asked(hook):
            with blamed(whose):
                answer = call(arguments)
            if answer is not None and not isinstance(answer, kind):
                raise PluginError(f"{whose} returned {answer!r}, which is no {kind.__name__}")
            if answer is not None:
                return answer
        return None

    def _asked(self, hook: str) -> list[tuple[str, Callable[[Mapping[str, Any]], Any]]]:
        """Return who answers a question, the nearest first; what is wrapped is pluggy's to call whole."""
        caller = getattr(self.hook, hook)
        implementations = caller.get_hookimpls()
        if any(impl.wrapper or impl.hookwrapper for impl in implementations):
            names = " or ".join(impl.plugin_name for impl in implementations)
            return [(f"{hook} of plugin {names}", lambda arguments: caller(**arguments))]
        return [
            (f"{hook} of plugin {impl.plugin_name}", partial(_called, impl))
            for impl in reversed(implementations)
        ]

    def add(self, plugin: LoadedPlugin, load: Callable[[], ModuleType]) -> None:
        """Load and register one plugin; on any fault take it out again and keep the reason."""
        before = set(sys.modules)
        start = time.perf_counter()
        self.loaded.append(plugin)
        # Bundled plugins are ours and tested not to talk; strangers' are held to it.
        guard = (
            nullcontext()
            if plugin.origin == "bundled"
            else forbidden("plugins may not connect while loading")
        )
        try:
            with guard, redirect_stdout(sys.stderr):  # stdout is for results
                plugin.module = load()
                plugin.entries = self._register(plugin, plugin.module)
        except KeyboardInterrupt as stop:
            way_out = "" if plugin.origin == "local" else f"; --no-plugin {plugin.name} leaves it out"
            stop.add_note(f"plugin '{plugin.name}' was loading{way_out}")
            raise
        except BaseException as error:  # noqa: BLE001  whatever a stranger's import does
            plugin.reason = lacks(error) or _first_line(error)
            plugin.entries = []
            if plugin.module is not None and self.manager.is_registered(plugin.module):
                self.manager.unregister(plugin.module)
        plugin.seconds = time.perf_counter() - start
        plugin.heavy = tuple(name for name in HEAVY if name in sys.modules and name not in before)

    def _register(self, plugin: LoadedPlugin, module: ModuleType) -> list[Entry]:
        check_version(module)
        others = [o for o in self.loaded if o.name == plugin.name and o is not plugin and o.ok]
        if (
            others and plugin.origin != "bundled"
        ):  # our toy model and toy task may share a name, strangers not
            raise DuplicateName(f"plugin name '{plugin.name}' is already taken by {others[0].source}")
        _check_arguments(module)
        self.manager.register(module, plugin.source if plugin.origin == "bundled" else plugin.name)
        callers = self.manager.get_hookcallers(module) or []
        known = [name for name in dir(hooks) if name.startswith("harness_")]
        for caller in callers:
            if not caller.has_spec():
                raise PluginError(f"unknown hook '{caller.name}'; {nearest(caller.name, known)}")
        if not callers:
            unmarked = [name for name in known if callable(getattr(module, name, None))]
            missing = f"{unmarked[0]} is not marked with @hookimpl" if unmarked else "it implements no hook"
            raise PluginError(missing)
        plugin.hooks = tuple(caller.name for caller in callers)
        entries = [e for caller in callers for e in _collect(caller, module)]
        seen: set[tuple[type, str]] = set()
        for entry in entries:
            check_entry(entry)
            if (type(entry), entry.name) in seen:
                raise DuplicateName(f"it brings {label(entry)} twice")
            seen.add((type(entry), entry.name))
        return entries


def _called(impl: pluggy.HookImpl, arguments: Mapping[str, Any]) -> Any:
    return impl.function(**{name: arguments[name] for name in impl.argnames})


@contextmanager
def _noted(listener: pluggy.HookImpl, failures: list[str]) -> Iterator[None]:
    """Keep what a listener raises as a sentence: a stranger must never end a run."""
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001  whatever it is
        name = listener.function.__name__
        failures.append(f"{name} of plugin '{listener.plugin_name}' failed: {error!r}")


def load_plugins(
    local: Iterable[str] = (), *, exclude: Iterable[str] = (), entry_points: bool = True, bundled: bool = True
) -> Plugins:
    """Load every plugin that can be found. One named in `local` must load; others may be broken."""
    plugins = Plugins()
    excluded = set(exclude)
    if bundled:
        for module in bundled_modules():
            name = module.rpartition(".")[2].replace("_", "-")
            if name not in excluded:
                plugins.add(_bundled(name, module), partial(importlib.import_module, module))
    if entry_points:
        for point in sorted(installed.entry_points(GROUP), key=lambda point: point.name):
            if point.name not in excluded:
                plugins.add(_installed(point), point.load)
    for source in local:
        name = _local_name(source)
        plugin = LoadedPlugin(name, "local", source)
        plugins.add(plugin, partial(_load_local, source))
        if not plugin.ok:
            raise PluginError(
                f"plugin {source} cannot be used: {plugin.reason}",
                hint="run it alone with python to see more",
            )
    return plugins


@contextmanager
def blamed(whose: str) -> Iterator[None]:
    """Turn whatever a plugin's own code raises into one sentence that names it."""
    try:
        yield
    except (HarnessError, KeyboardInterrupt, GeneratorExit):
        raise
    except BrokenPipeError:  # a reader of our output that leaves is nobody's fault
        raise
    except BaseException as error:
        raise PluginError(
            f"{whose} failed: {_first_line(error)}",
            hint="--debug shows where; --no-plugin leaves a plugin out",
        ) from error


def bundled_modules() -> list[str]:
    """Name the bundled plugin modules: the folders under `plugins/` and `tasks/`, and what stands alone."""
    found = list(shipped.MODULES)
    for folder in shipped.FOLDERS:
        package = importlib.import_module(folder)
        found += [f"{folder}.{item.name}" for item in pkgutil.iter_modules(package.__path__) if item.ispkg]
    return sorted(found)


def files_digest(module: ModuleType) -> str:
    """Hash the code, recipes and data files of a plugin's package, or its single file."""
    import hashlib  # here, because it loads OpenSSL, and a listing hashes nothing

    # An entry point may name an object; its module is the plugin's.
    home = module if isinstance(module, ModuleType) else sys.modules.get(type(module).__module__)
    file = getattr(home, "__file__", None)
    if file is None:
        return ""
    path = Path(file)
    files = sorted(path.parent.rglob("*")) if path.name == "__init__.py" else [path]
    digest = hashlib.sha256()
    for file in files:
        if file.suffix in HASHED and "__pycache__" not in file.parts:
            digest.update(file.relative_to(path.parent).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _check_arguments(module: Any) -> None:
    """Refuse a hook that wants what it is never given; pluggy's own sentence takes several lines."""
    for name in dir(hooks):
        function: Any = getattr(module, name, None)
        if not hasattr(function, f"{hooks.PROJECT}_impl"):
            continue
        if not (wanted := inspect.signature(function).parameters):
            continue
        given = inspect.signature(getattr(hooks, name)).parameters
        for argument in wanted.values():
            named = argument.kind in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY)
            if named and argument.default is argument.empty and argument.name not in given:
                hint = nearest(argument.name, given) or "it is given nothing"
                raise PluginError(
                    f"{name} wants an argument '{argument.name}', which it is never given; {hint}"
                )


def _collect(caller: Any, module: ModuleType) -> list[Entry]:
    kind = COLLECTING.get(caller.name)
    if kind is None:
        return []
    (implementation,) = [impl for impl in caller.get_hookimpls() if impl.plugin is module]
    returned = implementation.function()
    if not isinstance(returned, Iterable):
        raise PluginError(f"{caller.name} returned {returned!r}, which is no list of {kind.__name__}")
    entries = list(returned)
    for entry in entries:
        if not isinstance(entry, kind):
            raise PluginError(f"{caller.name} returned {entry!r}, which is no {kind.__name__}")
    return entries


def _bundled(name: str, module: str) -> LoadedPlugin:
    from harness import __version__  # here, because the package's face is still being built when this loads

    return LoadedPlugin(name, "bundled", module, "assay-bench", __version__)


def _installed(point: EntryPoint) -> LoadedPlugin:
    card = point.dist.metadata if point.dist else None  # without a METADATA file it is empty or nothing
    name, version = (str(card[key] or "") for key in ("Name", "Version")) if card else ("", "")
    return LoadedPlugin(point.name, "installed", point.value, name, version)


def _local_name(source: str) -> str:
    return Path(source).stem if _is_file(source) else source.rpartition(".")[2]


def _is_file(source: str) -> bool:
    return source.endswith(".py") or "/" in source


class _FromSource(SourceFileLoader):
    """Reads the file and no bytecode of it.

    Python takes bytecode for current when second and size are the same, so an edit soon after a run
    could be recorded and the code before it run.
    """

    def path_stats(self, path: object) -> NoReturn:
        raise OSError("no bytecode is wanted")


def _load_local(source: str) -> ModuleType:
    if not source.strip():
        raise PluginError("it has no name")
    if source in (".", "..") or (_is_file(source) and Path(source).is_dir()):
        raise PluginError("it is a folder; name a .py file, or a module that Python finds")
    if not _is_file(source):
        return importlib.import_module(source)
    path = Path(source).resolve()
    if not path.is_file():
        raise PluginError(f"there is no file {source}")
    module_name = path.stem
    if _is_taken(module_name, path):
        raise DuplicateName(f"the name '{module_name}' is already taken by another module; rename the file")
    if path.suffix != ".py":
        raise PluginError(f"{source} is no Python file")
    loader = _FromSource(module_name, str(path))
    spec = importlib.util.spec_from_file_location(module_name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # its own targets name it: "iupac:Iupac"
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _is_taken(name: str, path: Path) -> bool:
    """Tell whether another module has this name, imported or not: a `numpy.py` must not become numpy."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__file__", None) != str(path)
    found = importlib.util.find_spec(name) if name.isidentifier() else None
    return found is not None and Path(found.origin or "").resolve() != path


def _first_line(error: BaseException) -> str:
    text = error.message if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
    return text.strip().splitlines()[0][:300] if text.strip() else type(error).__name__


def describe(plugin: LoadedPlugin) -> Mapping[str, Any]:
    """Return a plugin as it goes into a record."""
    return {
        "name": plugin.name,
        "origin": plugin.origin,
        "source": plugin.source,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "files": plugin.files_digest(),
    }
