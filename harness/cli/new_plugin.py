"""`new-plugin`: write a package that installs, works and passes its test, or a task file, to start from."""

from __future__ import annotations

import argparse
import keyword
import re
from pathlib import Path
from string import Template
from typing import Any

from harness import API_VERSION, __version__
from harness.api.errors import StageError, UsageError, nearest

from . import plugin_template as template
from . import table_task
from .output import write
from .parser import add_verb

KINDS = {
    "model": ("ModelEntry", template.MODEL_HOOK, {"model.py": template.MODEL}),
    "task": ("TaskEntry", template.TASK_HOOK, {"task.py": template.TASK, "rows.csv": template.ROWS}),
    "metric": ("MetricEntry", template.METRIC_HOOK, {"metric.py": template.METRIC}),
    "retriever": ("RetrieverEntry", template.RETRIEVER_HOOK, {"retriever.py": template.RETRIEVER}),
    "verb": ("VerbEntry", template.VERB_HOOK, {"verb.py": template.VERB}),
}


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "new-plugin",
        "Write a plugin package to start from; it installs, works and passes its test at once. "
        "With --from, look at a table and write a task of it, which needs no code.",
        "run-bench new-plugin my-model --kind model",
        "run-bench new-plugin --from capitals.csv",
    )
    text = "the plugin's name, such as my-model; also the name of the folder, or with --from of the task"
    parser.add_argument("name", nargs="?", default="", help=text)
    parser.add_argument(
        "--kind",
        default="model,task,metric",
        metavar="A,B",
        help="what it brings: model, task, metric, retriever, verb (default: %(default)s)",
    )
    parser.add_argument(
        "--from", dest="table", type=Path, metavar="FILE", help="write NAME.toml, a task of this table"
    )
    parser.add_argument("--output", type=Path, default=Path(), metavar="DIR", help="where the folder is made")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def run(args: argparse.Namespace) -> int:
    """Write the package, or nothing at all."""
    kinds = [kind.strip() for kind in args.kind.split(",") if kind.strip()]
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"there is no kind '{kind}' of plugin", hint=nearest(kind, KINDS))
    if not kinds:
        raise UsageError("--kind names nothing", hint=f"{', '.join(KINDS)}, or several with commas")
    name = _name(args)
    if args.table is not None:
        return write_task(args.output / f"{name}.toml", name, args.table)
    folder = args.output / name
    if folder.exists():
        raise UsageError(
            f"{folder} is there already, and nothing in it is touched", hint="choose another name"
        )
    try:
        write_package(folder, name, kinds)
    except OSError as error:
        raise StageError(f"{folder} cannot be written: {error.strerror}", hint="--output DIR") from error
    write(f"{folder}\nnext: cd {folder} && pip install -e '.[test]' && pytest\n")
    return 0


def _name(args: argparse.Namespace) -> str:
    """Return the name that was given, or for a table the one that its file has."""
    name: str = args.name
    if not name and args.table is not None:
        name = re.sub(r"[^a-z0-9]+", "-", args.table.stem.lower()).strip("-")
    if not name and args.table is None:
        raise UsageError("the plugin has no name", hint="run-bench new-plugin my-model")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise UsageError(
            f"'{name}' cannot be a plugin's name",
            hint="small letters and digits, with - between words, such as my-model",
        )
    return name


def write_task(path: Path, name: str, table: Path) -> int:
    """Write a task file for a table."""
    if path.exists():
        raise UsageError(f"{path} is there already, and is not touched", hint="choose another name")
    text = table_task.describe(table, name, path.parent)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StageError(f"{path} cannot be written: {error.strerror}", hint="--output DIR") from error
    write(f"{path}\n{text}next: look at it, then run-bench --model MODEL --task {path}\n")
    return 0


def write_package(folder: Path, name: str, kinds: list[str]) -> None:
    """Write the files of a package that brings these kinds."""
    chosen = [KINDS[kind] for kind in KINDS if kind in kinds]
    module = name.replace("-", "_")
    words = {
        "name": name,
        "module": module,
        "api": API_VERSION,
        "release": __version__,
        "what": f"A {' and a '.join(kind for kind in KINDS if kind in kinds)}",
        "entries": ", ".join(sorted(entry for entry, _, _ in chosen)),
        # What the package does not bring itself is borrowed from the toys.
        "model": name if "model" in kinds else "toy",
        "task": name if "task" in kinds else "toy",
        "metric": f"{name}-match" if "metric" in kinds else "exact-match",
        # The toy model gets 16 of the toy task's 23.
        "value": "1.0" if {"model", "task"} & set(kinds) else "16 / 23",
    }
    hooks = "".join(hook for _, hook, _ in chosen)
    files = {
        "pyproject.toml": template.PYPROJECT,
        "README.md": template.README,
        f"{module}/__init__.py": template.INIT.replace("$hooks", hooks),
        f"tests/test_{module}.py": template.TEST,
    }
    for _, _, more in chosen:
        files |= {f"{module}/{path}": text for path, text in more.items()}
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(Template(text).substitute(words), encoding="utf-8")
