"""The matrix of a command: which model meets which task with which seed, each cell resolved to a spec."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.api.errors import DataError, UsageError, nearest
from harness.api.model import ModelEntry
from harness.api.spec import RunSpec
from harness.api.task import Task, TaskEntry

from . import task_files
from .config import Asked, Resolved, Setting, Settings, check_keys, resolve
from .data import open_task, task_class
from .graph import inputs_of
from .registry import Registered, Registry
from .values import listed

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+(:[\w./-]+)?")


@dataclass(frozen=True, slots=True)
class Cell:
    """One model on one task with one seed, resolved; `shown_beside` marks a row that only gives context."""

    model: Registered[ModelEntry]
    task: Registered[TaskEntry]
    resolved: Resolved
    shown_beside: bool = False

    @property
    def spec(self) -> RunSpec:
        """The resolved spec."""
        return self.resolved.spec


def plan(registry: Registry, asked: Asked, *, compare: bool = False) -> list[Cell]:
    """Resolve the whole matrix before anything runs; the first mistake of the user's ends it.

    With `compare`, the models that a recipe compares with follow, as rows that only give context.
    """
    tasks = asked.tasks or _tasks_of_stages(registry, asked)
    if not asked.models or not tasks:
        missing = "--model" if not asked.models else "--task"
        raise UsageError(f"{missing} is missing", hint="run-bench list models, run-bench list tasks")
    _check_stages(registry, asked)
    cells: list[Cell] = []
    for model in asked.models:
        for task in tasks:
            for seed in asked.seeds or (None,):
                cells += _cells(registry, asked, model, task, seed, shown_beside=False)
    unique: dict[tuple[str, str, str, int], Cell] = {}  # a name given twice, or beside its group, is one cell
    for cell in cells:
        spec = cell.spec
        unique.setdefault((spec.model, repr(spec.model_options), spec.task, spec.seed), cell)
    cells = list(unique.values())
    present = {(cell.spec.title, cell.spec.task) for cell in cells}
    for cell in list(cells):
        for model in cell.resolved.compare_with if compare else ():
            context = _context_cell(registry, asked, model, cell)
            if (context.spec.title, context.spec.task) not in present:
                present.add((context.spec.title, context.spec.task))
                cells.append(context)
    return cells


def models_alone(registry: Registry, asked: Asked) -> list[tuple[Registered[ModelEntry], Resolved]]:
    """Resolve models that are asked without a task, as a server and a chat ask them."""
    if not asked.models:
        raise UsageError("--model is missing", hint="run-bench list models")
    found = []
    for name in asked.models:
        model, own = _model(registry, name)
        alone = replace(asked, layers=[*asked.layers, own])
        resolved = resolve(alone, model.entry, registry.models.name_of(model), "", (), (), None)
        if resolved.spec.checkpoint and not Path(resolved.spec.checkpoint).exists():
            raise DataError(f"there is no checkpoint at {resolved.spec.checkpoint}")
        found.append((model, resolved))
    return found


def _tasks_of_stages(registry: Registry, asked: Asked) -> tuple[str, ...]:
    """Return the task whose rows the stages that were asked for learn from, where it is one."""
    stages = [registry.stages.get(name).entry for name in listed(asked.top("stages", ()))]
    tasks = {stage.task for stage in stages}
    return tuple(tasks) if len(tasks) == 1 and "" not in tasks else ()


def _cells(
    registry: Registry, asked: Asked, model: str, task: str, seed: int | None, *, shown_beside: bool
) -> Iterator[Cell]:
    found, own = _model(registry, model)
    what = task_files.named(registry, task)
    asked = replace(asked, layers=[what.settings, *asked.layers, own, what.rows])
    group = registry.tasks.get(what.task)
    members = registry.expand(what.task)
    names = [registry.tasks.name_of(member) for member in members]
    for member, name in zip(members, names, strict=True):
        train_tasks = names if found.entry.multitask else [name]
        tables = list(dict.fromkeys([group.entry.name, member.entry.name]))
        resolve_as = partial(
            resolve,
            entry=found.entry,
            model=registry.models.name_of(found),
            task=name,
            tasks=tables,
            train_tasks=train_tasks,
            seed=seed,
        )
        resolved = resolve_as(asked)
        if settings := _of_task(registry, member, resolved.spec):
            resolved = resolve_as(replace(asked, layers=[settings, *asked.layers]))
        _check_names(registry, found, member, resolved.spec)
        yield Cell(found, member, resolved, shown_beside)


def _of_task(registry: Registry, task: Registered[TaskEntry], spec: RunSpec) -> Settings:
    """Return the settings that an open task brings, which only a task that is opened knows."""
    if not task.entry.open or task_class(task).settings is Task.settings:
        return {}
    brought = open_task(registry, task, spec.data, spec.model, spec.task_options).task.settings()
    check_keys(brought, f"task '{task.entry.name}'")
    return {key: Setting(value, "task") for key, value in brought.items()}


def _model(registry: Registry, name: str) -> tuple[Registered[ModelEntry], Settings]:
    """Find a model by its name; a path or a hub id is the weights of one that takes any."""
    models = registry.models
    opener = next((item for item in models if item.entry.known_by == "weights"), None)
    looks = name.startswith((".", "/", "~")) or Path(name).suffix == ".gguf" or HUB_ID.fullmatch(name)
    plugins = {plugin.name for plugin in registry.plugins.loaded}
    if opener is None or name in models or not looks or name.partition("/")[0] in plugins:
        if opener is not None and name not in models and Path(name).is_dir():
            raise UsageError(f"no model named '{name}'", hint=f"--model ./{name} opens the folder")
        return models.get(name), {}
    base = Path(name.partition(":")[0]).expanduser()
    if not HUB_ID.fullmatch(name) and not base.exists():
        raise DataError(f"there is no model at {base}", hint="a folder, a .gguf file, or a hub id org/name")
    path = str(Path(name).expanduser()) if name.startswith("~") else name
    return opener, {"model.weights": Setting(path, "flag")}


def _context_cell(registry: Registry, asked: Asked, model: str, cell: Cell) -> Cell:
    """A row to compare with: another model on the same data, with its own defaults for everything else."""
    settings = {key: value for layer in asked.layers for key, value in layer.items()}
    shared = {key: value for key, value in settings.items() if key.startswith("data.") or key == "metrics"}
    plain = Asked(output=asked.output, layers=[shared])
    (made,) = _cells(registry, plain, model, cell.spec.task, None, shown_beside=True)
    return replace(made, resolved=replace(made.resolved, spec=replace(made.spec, data=cell.spec.data)))


def _check_stages(registry: Registry, asked: Asked) -> None:
    """Refuse settings of a stage that there is nowhere, which nothing would read."""
    known = {*registry.stages.names(), *(name for model in registry.models for name in model.entry.stages)}
    for key, setting in ((key, layer[key]) for layer in asked.layers for key in layer):
        first, _, rest = key.partition(".")
        stage = rest.partition(".")[0]
        if first == "stage" and stage not in known:
            raise UsageError(
                f"'{key}' ({setting.source}) is set, and no stage is named '{stage}'",
                hint=nearest(stage, known - {"*"}),
            )


def _check_names(
    registry: Registry, model: Registered[ModelEntry], task: Registered[TaskEntry], spec: RunSpec
) -> None:
    for name in spec.metrics:
        registry.metrics.get(name, near=task.plugin)
    inputs_of(spec.train, [registry.stage(stage.stage, model).entry for stage in spec.train])
    if spec.checkpoint and not Path(spec.checkpoint).exists():
        raise DataError(f"there is no checkpoint at {spec.checkpoint}")
