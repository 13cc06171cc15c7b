"""The cells of a sweep, each worked out from its number: ten thousand take the room of ten."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from harness.api.errors import DataError, UsageError
from harness.engine.config import Asked, Setting, Settings, lay
from harness.engine.matrix import Cell, plan
from harness.engine.registry import Registry
from harness.engine.task_files import named
from harness.files.json_files import digest

from .file import Axis, Halving, Sweep
from .halving import higher_is_better


@dataclass(frozen=True, slots=True)
class Trial:
    """One cell: a model on a task with one seed, or the default one, and what it sets of its own."""

    number: int
    model: str
    task: str
    seed: int | None
    point: Mapping[str, Any]

    @property
    def variant(self) -> str:
        """What it sets of its own, as tables say it."""
        return ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in self.point.items())

    def __str__(self) -> str:
        seed = "" if self.seed is None else f"seed {self.seed}"
        return ", ".join(filter(None, (f"{self.model} on {self.task}", self.variant, seed)))


@dataclass(frozen=True, slots=True)
class Plan(Sequence[Trial]):
    """All cells, the seeds outermost: the first seed of everything comes before the second of anything."""

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    seeds: tuple[int | None, ...]
    axes: tuple[Axis, ...]
    asked: Asked
    settings: Settings
    flags: tuple[str, ...] = ()  # of every run, such as --offline

    @property
    def _sizes(self) -> list[int]:
        return [*map(len, (self.seeds, self.tasks, self.models)), *map(len, self.axes)]

    def __len__(self) -> int:
        return math.prod(self._sizes)

    @overload
    def __getitem__(self, number: int) -> Trial: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Trial]: ...
    def __getitem__(self, number: int | slice) -> Trial | Sequence[Trial]:
        """Work out the cell of a number."""
        if isinstance(number, slice):
            return [self[each] for each in range(len(self))[number]]
        if not 0 <= number < len(self):
            raise IndexError(number)
        places, rest = [], number
        for size in reversed(self._sizes):
            rest, place = divmod(rest, size)
            places.append(place)
        seed, task, model, *points = reversed(places)
        point: dict[str, Any] = {}
        for axis, place in zip(self.axes, points, strict=True):
            point |= axis[place]
        return Trial(number, self.models[model], self.tasks[task], self.seeds[seed], point)

    @property
    def of_a_seed(self) -> int:
        """How many cells each seed has: so far apart are the seeds of one trial."""
        return len(self) // len(self.seeds)

    @property
    def key(self) -> str:
        """Identify the sweep: the same cells are the same sweep."""
        return digest([list(map(self.command, self.samples())), list(self.seeds)])[:8]

    def own(self, trial: Trial) -> Settings:
        """Return all settings of a cell."""
        merged = dict(self.settings)
        lay(merged, {key: Setting(value, "sweep") for key, value in trial.point.items()})
        return merged

    def command(self, trial: Trial) -> list[str]:
        """Return the run that a cell is, as arguments of the program."""
        seeds = [] if trial.seed is None else ["--seeds", str(trial.seed)]
        sets = [f"--set={key}={as_toml(setting.value)}" for key, setting in self.own(trial).items()]
        output = ["--output", str(self.asked.output)]
        plugins = [f"--plugin={plugin}" for plugin in self.asked.plugins]
        what = ["--model", trial.model, "--task", trial.task, *seeds, *sets]
        return ["run", *what, *output, *plugins, *self.flags, "--no-compare"]

    def cell(self, registry: Registry, trial: Trial) -> Cell:
        """Resolve a cell as its run will."""
        asked = replace(
            self.asked,
            models=(trial.model,),
            tasks=(trial.task,),
            seeds=() if trial.seed is None else (trial.seed,),
            layers=[self.own(trial)],
        )
        (cell,) = plan(registry, asked)
        return cell

    def samples(self) -> Iterator[Trial]:
        """Yield cells among which every pair of model and task is, and every value with every model."""
        first = self[0]
        for model in self.models:
            for task in self.tasks:
                yield replace(first, model=model, task=task)
            for axis in self.axes:
                for own in axis[1:]:
                    yield replace(first, model=model, point={**first.point, **own})


def lay_out(registry: Registry, sweep: Sweep, flags: Sequence[str] = ()) -> Plan:
    """Lay out a sweep, and refuse what could never run before anything does."""
    asked = sweep.asked
    for key, names in ("model", asked.models), ("task", asked.tasks):
        if not names:
            raise UsageError(
                f"the sweep has no cell: no {key} is named", hint=f'[run] with {key} = ["NAME", "NAME"]'
            )
    laid = Plan(
        tuple(dict.fromkeys(asked.models)),
        tuple(dict.fromkeys(name for task in asked.tasks for name in _members(registry, task))),
        asked.seeds or (None,),
        sweep.axes,
        asked,
        sweep.settings | (_looks(sweep) if sweep.halving is not None else {}),
        tuple(flags),
    )
    for trial in laid.samples():
        cell = laid.cell(registry, trial)
        if sweep.halving is not None:
            _check_halving(registry, sweep.halving, cell)
    return laid


def _check_halving(registry: Registry, halving: Halving, cell: Cell) -> None:
    higher_is_better(registry, halving, cell)  # a metric that is none ends here
    if not cell.spec.train:
        raise UsageError(f"[sweep.halving] compares trainings, and {cell.spec.title} has none")


def _members(registry: Registry, task: str) -> list[str]:
    found = named(registry, task)
    if found.settings or found.rows:  # a file, which is one task
        return [task]
    return [registry.tasks.name_of(member) for member in registry.expand(task)]


def _looks(sweep: Sweep) -> Settings:
    """Return the settings that let a training look at validation rows wherever trials are compared."""
    halving = sweep.halving
    assert halving is not None
    varied = {key for axis in sweep.axes for point in axis for key in point}
    every = sweep.settings.get("train.eval_every")
    if every is not None and any(rung % int(every.value) for rung in halving.rungs):
        raise UsageError(
            f"train.eval_every is {every.value}, and a rung of [sweep.halving] lies between two evaluations",
            hint="leave train.eval_every out, or let every rung be a multiple of it",
        )
    wanted: dict[str, Any] = {"train.eval_every": math.gcd(*halving.rungs)}
    if halving.metric != "loss":
        wanted["train.select_metric"] = halving.metric
    return {
        key: Setting(value, "sweep.halving")
        for key, value in wanted.items()
        if key not in sweep.settings and key not in varied
    }


def as_toml(value: Any) -> str:
    """Write a value as `--set` reads it."""
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(key)} = {as_toml(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"{value!r} is no value of a setting") from error
