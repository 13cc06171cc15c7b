"""Writes what others rely on, a line each, into the file that the tests hold it to: `python .ci/surface.py`.

A name that is gone, a hook that is called with less, another exit code: each is a new version of the
interface. What is new is added by whoever releases, and promised from then on.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from harness.api import errors, hooks
from harness.cli import api_reference
from harness.cli.main import verbs
from harness.cli.reference import parser_of
from harness.engine.config import schema

PROMISED = Path(__file__).resolve().parent.parent / "tests" / "api" / f"promised-{hooks.API_VERSION}.txt"


def surface() -> list[str]:
    """Return everything that is public, in a stable order."""
    found = {*names(), *called(), *codes()}
    found |= {line for verb in verbs() for line in options(f"verb {verb}", parser_of(verb))}
    found |= {f"setting {key}" for key in schema()}
    return sorted(found)


def options(verb: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield a verb, each of its flags, and the same of the actions below it."""
    yield verb
    for action in parser._actions:  # argparse has no public way to ask
        yield from (f"{verb} {flag}" for flag in action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from options(f"{verb} {name}", below)


def names() -> Iterator[str]:
    """Yield the full name of everything on the page of the API, and of what its classes hold."""
    for package in api_reference.LISTED:
        public = {name for name in import_module(package).__all__ if not name.startswith("_")}
        public |= set(api_reference.PROGRAM if package == "harness" else ())
        for module in api_reference.homes(package, public):
            yield from members(package, {n: d for n, d in module.definitions().items() if n in public})
    for package in api_reference.OPEN:
        for module in api_reference.modules(package)[1:]:
            defined = {
                name: node
                for name, node in module.definitions().items()
                if isinstance(node, ast.ClassDef | ast.FunctionDef) and not name.startswith("_")
            }
            yield from (f"{module.name}.{name}" for name in defined)


def members(package: str, defined: dict[str, api_reference.Definition]) -> Iterator[str]:
    """Yield names with what is inside them: fields and methods of classes, arguments of functions."""
    for name, node in defined.items():
        yield f"{package}.{name}"
        if isinstance(node, ast.FunctionDef):
            yield from (f"{package}.{name}({argument.arg})" for argument in arguments(node))
        elif isinstance(node, ast.ClassDef):
            parts = [
                getattr(part, "name", "") or getattr(getattr(part, "target", None), "id", "")
                for part in node.body
            ]
            yield from (f"{package}.{name}.{part}" for part in parts if part and not part.startswith("_"))


def arguments(node: ast.FunctionDef) -> list[ast.arg]:
    """Return the arguments that a function may be given by name."""
    return [*node.args.args, *node.args.kwonlyargs]


def called() -> Iterator[str]:
    """Yield each hook with each argument that it is called with."""
    (module,) = (module for module in api_reference.modules("harness.api") if module.name.endswith(".hooks"))
    for name, node in module.definitions().items():
        if isinstance(node, ast.FunctionDef):
            yield f"hook {name}"
            yield from (f"hook {name}({argument.arg})" for argument in arguments(node))


def codes() -> Iterator[str]:
    """Yield each kind of failure with its exit code."""
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.HarnessError):
            yield f"exit code {kind.exit_code} {name}"


if __name__ == "__main__":
    PROMISED.write_text("\n".join([*surface(), ""]), encoding="utf-8")
