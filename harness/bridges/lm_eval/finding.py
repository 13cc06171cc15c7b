"""Finds a task of lm-eval by its name, and refuses what it would do that nobody asked for.

A task may run code that lies beside it, fetch rows or a metric's script from the network, and run what a
model has written. In templates of tasks that are not lm-eval's own nothing can be reached but the row.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import datasets
import lm_eval.api.metrics  # noqa: F401  which puts lm-eval's metrics on its shelf
import yaml
from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES as FORMATS
from jinja2.sandbox import ImmutableSandboxedEnvironment
from lm_eval import utils
from lm_eval.api.registry import metric_registry
from lm_eval.tasks import TaskManager

from harness.api.errors import DataError, HarnessError, UsageError, nearest

TRUST = "--set task.trust_code=true, if you know it"
NOT_THERE = "a file that a task names is looked for from where you are"
NETWORK = "--set task.network=true lets it; offline, rows in files of your own serve: dataset_path json"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a task is looked for, and what it may do: of lm-eval's own tasks there is no folder."""

    folder: Path | None
    network: bool = False
    trusted: bool = False


def find(name: str, source: Source) -> Any:
    """Return the task of lm-eval with this name, its rows loaded."""
    with quietly():
        manager = _own() if source.folder is None else _of_folder(source.folder)
        entry = manager.task_index.get(name)
        if entry is None or not name:
            where = "lm-eval" if source.folder is None else str(source.folder)
            raise UsageError(f"{where} has no task '{name}'", hint=nearest(name, manager.all_subtasks))
        if name not in manager.all_subtasks:
            members = ",".join(f"lm-eval/{member}" for member in _members(entry)[:8])
            raise UsageError(f"'{name}' is a group of lm-eval's tasks", hint=f"--task {members}")
        _check(name, entry, source)
        try:
            (task,) = manager.load([name])["tasks"].values()
        except HarnessError:
            raise
        except Exception as error:  # whatever its data or its code raises
            raise DataError(
                f"lm-eval cannot open its task '{name}': {_first_line(error)}",
                hint=NOT_THERE if isinstance(error, FileNotFoundError) else "",
            ) from error
        if getattr(task, "MULTIMODAL", False):
            raise UsageError(f"'{name}' shows pictures or sounds, and models here read text")
        return task


@contextmanager
def quietly() -> Iterator[None]:
    """Leave out what lm-eval and datasets say as they go, and their bars."""
    loggers = [logging.getLogger(name) for name in ("lm_eval", "datasets")]
    levels = [logger.level for logger in loggers]
    bars = datasets.are_progress_bars_disabled()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if not bars:
            datasets.enable_progress_bars()


@lru_cache(maxsize=1)
def _own() -> Any:
    """Return lm-eval's own tasks; reading them all takes seconds."""
    return TaskManager()


def _of_folder(folder: Path) -> Any:
    _confine_templates()
    return TaskManager(include_path=str(folder), include_defaults=False)


def _confine_templates() -> None:
    """Let templates reach nothing but the row that they show."""
    if not isinstance(utils.env, ImmutableSandboxedEnvironment):
        confined = ImmutableSandboxedEnvironment(
            undefined=utils.env.undefined, keep_trailing_newline=utils.env.keep_trailing_newline
        )
        confined.filters.update(utils.env.filters)
        utils.env = confined


def _members(entry: Any) -> list[str]:
    named = (entry.cfg or {}).get("task", ())
    listed = [item.get("task") or item.get("group") if isinstance(item, Mapping) else item for item in named]
    return sorted(entry.tags) if not listed else [str(item) for item in listed]


def _check(name: str, entry: Any, source: Source) -> None:
    """Refuse code and connections that nobody asked for."""
    config = entry.cfg or {}
    if (
        source.folder is not None
        and not source.trusted
        and (code := sorted(set(_functions(entry.yaml_path))))
    ):
        raise UsageError(f"task '{name}' runs code that lies beside it: {', '.join(code)}", hint=TRUST)
    if config.get("unsafe_code") and not source.trusted:
        raise UsageError(f"task '{name}' runs the programs that a model writes", hint=TRUST)
    metrics = config.get("metric_list") if not config.get("process_results") else ()
    for metric in metrics or ():
        known = metric["metric"] in metric_registry or isinstance(metric["metric"], _Function)
        if (metric.get("hf_evaluate") or not known) and not (source.trusted and source.network):
            raise UsageError(
                f"the metric '{metric['metric']}' of task '{name}' is a script of the Hugging Face hub",
                hint=f"{TRUST}; {NETWORK.partition(';')[0]}",
            )
    if not source.network and (place := _far(config)):
        raise UsageError(f"the rows of task '{name}' come from the network: {place}", hint=NETWORK)


def _far(config: Mapping[str, Any]) -> str:
    """Return where rows would be fetched, or nothing where they are files here."""
    path, arguments = str(config.get("dataset_path") or ""), config.get("dataset_kwargs") or {}
    if "://" in json.dumps(arguments, default=str):
        return str(arguments.get("data_files", arguments))
    made = "custom_dataset" in config or "class" in config  # by code
    return "" if made or path in FORMATS or Path(path).exists() else path


class _Function(str):
    """The name of a function in a YAML file, which is not imported."""


class _Reader(yaml.SafeLoader):
    """Reads lm-eval's YAML without importing anything."""


_Reader.add_constructor("!function", lambda loader, node: _Function(node.value))


def _functions(path: Path) -> Iterator[str]:
    """Yield the files of functions that a task names, in what it includes, too."""
    tree = yaml.load(path.read_text(encoding="utf-8"), Loader=_Reader)
    yield from (str(path.parent / f"{name.rpartition('.')[0]}.py") for name in _named(tree))
    includes = tree.get("include", ())
    for other in [includes] if isinstance(includes, str) else includes:
        yield from _functions(path.parent / other)


def _named(tree: Any) -> Iterator[str]:
    if isinstance(tree, _Function):
        yield tree
    elif isinstance(tree, Mapping | list):
        for item in tree.values() if isinstance(tree, Mapping) else tree:
            yield from _named(item)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
