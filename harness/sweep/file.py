"""Reads a sweep's file: a file of settings as `--config` takes it, with a table `[sweep]` beside them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from harness.api.bounds import OneOf, Range
from harness.api.errors import UsageError
from harness.engine.config import Asked, Settings, ask, check_keys, flatten, lay
from harness.engine.config_file import read_file
from harness.engine.values import make_options, shown

from .machine import MIB

TABLE = "sweep"
Axis = tuple[Mapping[str, Any], ...]  # settings of which one after the other is laid over all others


@dataclass(frozen=True, slots=True)
class Halving:
    """Which trials go on: at each of the `rungs`, in steps, the best `keep` of a task's by `metric`.

    The metric is taken on validation rows; `loss` is the loss on them.
    """

    metric: str = ""
    rungs: tuple[int, ...] = ()
    keep: Annotated[float, Range(above=0, below=1)] = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What `[sweep]` may hold."""

    grid: Mapping[str, Any] = field(default_factory=dict)  # setting -> its values, all crossed
    overrides: tuple[Any, ...] = ()  # tables of settings that go together
    executor: Annotated[str, OneOf("local", "ray", "slurm")] = "local"
    workers: Annotated[int | None, Range(least=1)] = None  # cells at once
    gpus: Annotated[int | None, Range(least=0)] = None  # of each cell
    cpus: Annotated[int | None, Range(least=1)] = None
    memory_gb: Annotated[float | None, Range(above=0)] = None  # until a cell of the model was measured
    retries: Annotated[int, Range(least=0)] = 1  # of a cell that crashed
    budget_hours: Annotated[float | None, Range(above=0)] = None
    halving: Mapping[str, Any] = field(default_factory=dict)
    ray: Mapping[str, Any] = field(default_factory=dict)
    slurm: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stated_mib(self) -> float:
        """The memory that a cell was said to need, in MiB; 0 where nothing was said."""
        return (self.memory_gb or 0) * 1000**3 / MIB


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep as it was asked for: names, settings that every cell has, and axes of those that differ."""

    asked: Asked
    settings: Settings
    axes: tuple[Axis, ...]
    options: Options
    halving: Halving | None


def read_sweep(path: Path, environ: Mapping[str, str], **given: Any) -> Sweep:
    """Read a file; `given` are options that the command line sets instead."""
    table = read_file(path).get(TABLE, {})
    if not isinstance(table, Mapping):
        raise UsageError(f"{path}: sweep is {shown(table)}, it must be a table", hint="[sweep]")
    chosen = dict(table) | {name: value for name, value in given.items() if value is not None}
    options: Options = make_options(Options, chosen, path.name, TABLE)
    asked = ask({}, (), path, environ, beside=TABLE)
    settings: Settings = {}
    for layer in asked.layers:
        lay(settings, layer)
    axes = (*_grid(options.grid, path), *_overrides(options.overrides, path))
    halving = _halving(options.halving, path)
    return Sweep(asked, settings, axes, options, halving)


def _grid(grid: Mapping[str, Any], path: Path) -> list[Axis]:
    values = flatten(grid)
    check_keys(values, f"[sweep.grid] of {path}")
    for key, several in values.items():
        if not isinstance(several, list) or not several:
            raise UsageError(
                f"{path}: sweep.grid.{key} is {shown(several)}, it must be a list of values",
                hint=f"{key} = [1, 2] crosses two values with everything else",
            )
    return [_once({key: value} for value in several) for key, several in values.items()]


def _overrides(tables: Sequence[Any], path: Path) -> list[Axis]:
    for table in tables:
        if not isinstance(table, Mapping):
            raise UsageError(
                f"{path}: sweep.overrides holds {shown(table)}, it must hold tables",
                hint="[[sweep.overrides]] begins one",
            )
        check_keys(flatten(table), f"[[sweep.overrides]] of {path}")
    return [_once(map(flatten, tables))] if tables else []


def _once(points: Any) -> Axis:
    """Keep the first of those that are the same."""
    return tuple({repr(point): point for point in points}.values())


def _halving(table: Mapping[str, Any], path: Path) -> Halving | None:
    if not table:
        return None
    halving: Halving = make_options(Halving, table, path.name, "sweep.halving")
    if not halving.metric or not halving.rungs:
        raise UsageError(
            f"{path}: [sweep.halving] names no {'rungs' if halving.metric else 'metric'}",
            hint='metric = "loss" and rungs = [100, 300] keep the better half at step 100 and at step 300',
        )
    if any(a >= b for a, b in itertools.pairwise((0, *halving.rungs))):
        raise UsageError(f"{path}: sweep.halving.rungs must be numbers of steps that grow from 1")
    return halving
