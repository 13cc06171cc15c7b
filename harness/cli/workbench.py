"""The workbench of plugins' verbs: their tasks and models opened by the engine, their words printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from harness.api.metric import MetricEntry, Metrics
from harness.api.retrieval import Retriever
from harness.api.run import Progress
from harness.api.spec import DataSpec
from harness.api.task import Task
from harness.api.workbench import ReadyModel, TaskView
from harness.engine.data import open_task, task_class
from harness.engine.opening import open_model
from harness.engine.plugin_manager import LoadedPlugin
from harness.engine.progress import choose_progress
from harness.engine.registry import Registry

from . import output
from .tables import Table, print_table


class Desk:
    """The program's side of `Workbench`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def expand(self, names: str) -> list[str]:
        """Return the tasks of a list with commas, groups replaced by their members."""
        tasks = self._registry.tasks
        found = [member for name in names.split(",") if name for member in self._registry.expand(name)]
        return list(dict.fromkeys(tasks.name_of(member) for member in found))

    def task(self, name: str) -> type[Task]:
        """Return a task's class."""
        return task_class(self._registry.tasks.get(name))

    def metrics(self, task: str = "") -> Mapping[str, MetricEntry]:
        """Return every metric by the name under which `task` finds it."""
        found = {name: self._registry.metrics.get(name).entry for name in self._registry.metrics.names()}
        near = self._near(task)
        own = [] if near is None else [entry for entry in near.entries if isinstance(entry, MetricEntry)]
        return found | {entry.name: entry for entry in own}

    def load_metrics(self, names: Sequence[str], task: str = "") -> Metrics:
        """Import metrics, those of the task's own plugin before others of the same name."""
        return self._registry.load_metrics(names, near=self._near(task))

    def _near(self, task: str) -> LoadedPlugin | None:
        return self._registry.tasks.get(task).plugin if task else None

    def open_task(
        self,
        name: str,
        data: DataSpec,
        *,
        metrics: Sequence[str] = (),
        model: str = "",
        options: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
    ) -> TaskView:
        """Open a task on a source, with its own metrics or those named, asked as `model` wants it."""
        models = self._registry.models
        known = model in {
            *models.names(),
            *(item.full_name for item in models),
        }  # a stranger's may not be here
        opened = open_task(
            self._registry, self._registry.tasks.get(name), data, model if known else "", options
        )
        found = self.load_metrics(metrics or opened.task.metrics, name)
        return opened.view(opened.examples(data.split) if data.split else (), found, tags)

    def tagged(self, tag: str) -> list[str]:
        """Return the names of the tasks that have a tag."""
        return [self._registry.tasks.name_of(item) for item in self._registry.tasks if tag in item.entry.tags]

    def retriever(self, name: str) -> Retriever:
        """Build a retriever by what users write: `NAME`, `NAME:WHERE`, `A+B` for both at once."""
        return self._registry.retriever(name)

    def open_model(
        self,
        name: str,
        task: str = "",
        *,
        preset: str = "",
        options: Mapping[str, Any] | None = None,
        checkpoint: Path | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> ReadyModel:
        """Open a model as its preset and options say, for a task or as a chat asks it."""
        given = {**(settings or {}), **{f"model.{key}": value for key, value in (options or {}).items()}}
        given |= {"preset": preset} if preset else {}
        return open_model(self._registry, name, given, task=task, checkpoint=checkpoint)

    def render(self, table: Any, form: str) -> str | None:
        """Return a leaderboard's table in a form that a plugin brings, or None."""
        return self._registry.plugins.ask("harness_render_leaderboard", str, board=table, format=form)

    def progress(self, *, quiet: bool = False) -> Progress:
        """Return where long work says how far it is."""
        return choose_progress(quiet=quiet)

    def write(self, text: str) -> None:
        """Write a result on standard output."""
        output.write(text)

    def prose(self, text: str, *, marked: Sequence[str] = (), indent: int = 0) -> None:
        """Write a paragraph in lines that fit a terminal; there what is `marked` stands out."""
        output.write_prose(text, marked, indent)

    def write_json(self, facts: Any) -> None:
        """Write a result as JSON on standard output."""
        output.write_json(facts)

    def say(self, text: str) -> None:
        """Write a line about the work on standard error."""
        output.say(text)

    def show(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        notes: Sequence[str] = (),
        words: bool = False,
        best: AbstractSet[tuple[int, int]] = frozenset(),
        muted: AbstractSet[int] = frozenset(),
    ) -> None:
        """Print a table as fits where it goes."""
        print_table(Table(title, columns, list(rows), list(notes), set(best), set(muted)), left=words)
