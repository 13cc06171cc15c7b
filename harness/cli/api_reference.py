"""Writes the reference page of public names from their source: `python -m harness.cli.api_reference FILE`."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from harness.engine.plugin_manager import load_plugins
from harness.engine.registry import Registry

PACKAGE = Path(__file__).resolve().parent.parent
HEAD = """# API

<!-- written by `make docs` from the docstrings; do not edit -->

What plugins and programs import. `harness` is the vocabulary and takes no heavy library; the packages below
it are what models, tasks and metrics are built of. What each metric reads of an `Example` and a `Prediction`
stands [at the end](#what-metrics-read), and beside its definition in [metrics](metrics.md).
"""
# Packages that say what is theirs to offer, and those whose every module is on offer.
LISTED = ("harness", "harness.training", "harness.decoding", "harness.language_models", "harness.testing")
OPEN = ("harness.data", "harness.chem", "harness.files", "harness.retrieval", "harness.scoring")
PROGRAM = ("run", "score", "load_run", "Result")  # of `harness`, imported when they are first used

Definition = ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True, slots=True)
class Module:
    """A module's source and what it defines by name."""

    name: str
    tree: ast.Module
    lines: list[str]

    def definitions(self) -> dict[str, Definition]:
        """Return what is defined at the top, by name."""
        found: dict[str, Definition] = {}
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found[node.name] = node
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found |= {target.id: node for target in targets if isinstance(target, ast.Name)}
        return found


@lru_cache
def modules(package: str) -> list[Module]:
    """Read every module of a package, the package itself first."""
    folder = PACKAGE.joinpath(*package.split(".")[1:])
    return [
        _read(path) for path in sorted(folder.rglob("*.py"), key=lambda path: (path.name[0] != "_", path))
    ]


def _read(path: Path) -> Module:
    inner = path.relative_to(PACKAGE.parent).with_suffix("").parts
    text = path.read_text(encoding="utf-8")
    name = ".".join(part for part in inner if part != "__init__")
    return Module(name, ast.parse(text), text.splitlines())


def page() -> str:
    """Return the whole page as Markdown."""
    parts = [HEAD, *(listed(package) for package in LISTED), *(opened(package) for package in OPEN), reads()]
    return "\n".join(parts).rstrip() + "\n"


def listed(package: str) -> str:
    """Return what a package lists, under what the modules that define it are about."""
    names = {name for name in import_module(package).__all__ if not name.startswith("_")}
    names |= set(PROGRAM if package == "harness" else ())
    first = _read(PACKAGE / "__init__.py") if package == "harness" else modules(package)[0]
    lines = [f"## {package}", "", said(first.tree), ""]
    for module in homes(package, names):
        own = [name for name in module.definitions() if name in names]
        lines += [f"### {module.name.removeprefix('harness.')}", "", said(module.tree).split("\n\n")[0], ""]
        lines += [line for name in own for line in described(name, module)]
    return "\n".join(lines)


def homes(package: str, names: Iterable[str]) -> list[Module]:
    """Return the modules that define names: the package's own, or what it has them from."""
    own = [_read(PACKAGE / "program.py")] if package == "harness" else modules(package)
    found: dict[str, Module] = {}
    where = [*own, *modules("harness.api"), *modules("harness.training")]
    defined = [(module, module.definitions()) for module in where]
    for name in names:
        home = next((module for module, known in defined if name in known), None)
        if home is None:
            raise LookupError(f"{package}.{name} is defined nowhere")
        found[home.name] = home
    return [found[name] for name in sorted(found)]


def opened(package: str) -> str:
    """Return the public names of every module of a package, a line each."""
    first, *rest = modules(package)
    lines = [f"## {package}", "", said(first.tree), "", "| name | what it is |", "|---|---|"]
    for module in rest:
        for name, node in module.definitions().items():
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not name.startswith("_"):
                home = module.name.removeprefix(package + ".")
                lines.append(f"| `{home}.{name}` | {cell(said(node).split(chr(10))[0])} |")
    return "\n".join([*lines, ""])


def described(name: str, module: Module) -> Iterator[str]:
    """Yield the lines about one name."""
    node = module.definitions()[name]
    if isinstance(node, ast.FunctionDef):
        yield from [f"#### `{name}{signature(node)}`", "", said(node), ""]
    elif isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        yield from [f"#### `{name}`" + (f" ({bases})" if bases else ""), "", said(node), ""]
        yield from fields(node, module)
        yield from methods(node)
    elif node.value is not None:
        yield from [f"#### `{name}`", "", f"`{ast.unparse(node.value)}`", ""]


def fields(node: ast.ClassDef, module: Module) -> Iterator[str]:
    """Yield the table of a class's fields; what stands behind one in the source is what it means."""
    rows = []
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            if part.target.id.startswith("_"):
                continue
            kind = ast.unparse(part.annotation)
            default = "" if part.value is None else f"`{cell(default_of(part.value))}`"
            line = module.lines[(part.end_lineno or part.lineno) - 1]
            remark = line[part.end_col_offset or 0 :].partition("# ")[2] if part.end_col_offset else ""
            rows.append(f"| `{part.target.id}` | `{cell(kind)}` | {default} | {cell(remark)} |")
    if rows:
        yield from ["| field | type | default | |", "|---|---|---|---|", *rows, ""]


def default_of(value: ast.expr) -> str:
    """Return a default as a reader writes it: `field(default_factory=dict)` is `dict()`."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        named = {keyword.arg: keyword.value for keyword in value.keywords}
        if "default_factory" in named:
            return f"{ast.unparse(named['default_factory'])}()"
        return ast.unparse(named["default"]) if "default" in named else ""
    return ast.unparse(value)


def methods(node: ast.ClassDef) -> Iterator[str]:
    """Yield a line for each public method and property."""
    lines = []
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and not (part.name.startswith("_") and part.name != "__call__"):
            marks = {ast.unparse(mark) for mark in part.decorator_list}
            if any(mark.endswith("overload") for mark in marks):
                continue
            call = (
                part.name
                if "property" in marks or "cached_property" in marks
                else f"{part.name}{signature(part)}"
            )
            lines.append(f"- `{call}`: {' '.join(said(part).split(chr(10) * 2)[0].split())}")
    yield from [*lines, ""] if lines else []


def signature(node: ast.FunctionDef) -> str:
    """Return what a function takes and returns."""
    arguments = ast.unparse(node.args)
    for own in ("self, /, ", "cls, /, ", "self, ", "cls, "):
        arguments = arguments.removeprefix(own)
    arguments = "" if arguments in ("self", "cls") else arguments
    return f"({arguments})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")


def reads() -> str:
    """Return the table of what each bundled metric reads of a row."""
    metrics = Registry(load_plugins((), entry_points=False)).metrics
    cards = [metrics.get(name).entry for name in metrics.names()]
    lines = [
        "## What metrics read",
        "",
        "Each reads the answer, and beside it these fields of `Example` and `Prediction`.",
        "",
        "| metric | reads |",
        "|---|---|",
        *(f"| `{card.name}` | {', '.join(f'`{field}`' for field in card.reads) or '–'} |" for card in cards),
    ]
    return "\n".join(lines)


def said(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> str:
    """Return a docstring; a public name without one is an error."""
    text = ast.get_docstring(node)
    if not text:
        raise LookupError(f"{getattr(node, 'name', 'a module')} says nothing of itself")
    return inspect.cleandoc(text)


def cell(text: str) -> str:
    """Return a text as it may stand in a table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
