"""Tasks that are files: `csv:FILE` names rows, `FILE.toml` a task in ten lines; both are settings of `table`.

    [task]
    name = "capitals"
    file = "capitals.csv"          # seen from the TOML file
    prompt = "Capital of {country}?"
    answer = "capital"
    metrics = ["exact-match"]

Further keys of `[task]` are the task's options; further tables, such as `[generate]`, are settings of a run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, UsageError

from .config import Setting, Settings, check_keys, flatten
from .config_file import read_file
from .registry import Registry

TABLE, PROMPTS = "table", "prompts"
FORMS = ("csv", "tsv", "json", "jsonl", "parquet")
NOT_IN_A_NAME = re.compile(r"[^\w.+@-]+")


@dataclass(frozen=True, slots=True)
class Named:
    """A task by the name it is known by, with what its file sets, which flags override, and its rows."""

    task: str
    settings: Settings = field(default_factory=dict)
    rows: Settings = field(default_factory=dict)


def named(registry: Registry, name: str) -> Named:
    """Return what the name of a task means; a name that is no file is the task's own."""
    form, colon, place = name.partition(":")
    if colon and form in FORMS:
        return _of_rows(Path(place).expanduser())
    path = Path(name).expanduser()
    if path.suffix == ".toml":
        return _of_toml(path)
    if path.suffix.lstrip(".") in FORMS and name not in registry.tasks:
        raise UsageError(f"no task named '{name}'", hint=f"--task csv:{name} asks its rows")
    return Named(name)


def of_prompts(path: Path) -> dict[str, Any]:
    """Return the settings of a run that asks the prompts of a file."""
    if not path.is_file():
        raise DataError(f"there is no file {path}", hint="generate FILE asks the prompts of a file")
    return {"task": _name(path.stem, PROMPTS), "data.source": str(path)}


def _of_rows(path: Path) -> Named:
    if not path.exists():
        raise DataError(f"there is no file {path}", hint="csv:FILE names rows of your own")
    return Named(_name(path.stem), {}, {"data.source": Setting(str(path), "flag")})


def _of_toml(path: Path) -> Named:
    if not path.is_file():
        raise DataError(f"there is no file {path}", hint="FILE.toml is a task with a table [task]")
    tree = read_file(path)
    task = tree.pop("task", None)
    if not isinstance(task, Mapping) or "file" not in task:
        raise DataError(f"{path} holds no task", hint='[task] with file = "rows.csv", prompt and answer')
    options: dict[str, Any] = dict(task)
    rows = path.parent / str(options.pop("file"))
    name = _name(str(options.pop("name", path.stem)))
    found = flatten(tree) | {f"task.{key}": value for key, value in options.items() if key != "metrics"}
    if "metrics" in options:
        found["metrics"] = options["metrics"]
    check_keys(found, str(path))
    if not os.path.exists(rows):  # noqa: PTH110  a name that no file can have is no error for it
        raise DataError(
            f"there is no file {rows!s:.200}, which {path} names", hint="file is seen from the TOML file"
        )
    source = str(path)
    settings = {key: Setting(value, source) for key, value in found.items()}
    return Named(name, {"data.source": Setting(str(rows), source), **settings})


def _name(text: str, task: str = TABLE) -> str:
    return f"{task}/{NOT_IN_A_NAME.sub('-', text).strip('-.') or 'rows'}"
