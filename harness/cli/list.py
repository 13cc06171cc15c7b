"""`list`: what there is, filtered, from the cheap entries alone."""

from __future__ import annotations

import argparse
from typing import Any

from harness.api.model import ModelEntry
from harness.api.retrieval import RetrieverEntry
from harness.api.stage import StageEntry
from harness.engine.entries import Entry
from harness.engine.registry import Registered, Registry

from .output import write_json
from .parser import add_verb
from .run_arguments import add_plugin_arguments, open_registry
from .tables import Table, print_table


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "list",
        "List what there is. Nothing heavy is imported for it.",
        "run-bench list models",
        "run-bench list tasks --tag molecule --kind generate",
        "run-bench list metrics --json",
    )
    parser.add_argument(
        "what", choices=["models", "tasks", "metrics", "retrievers", "stages"], help="which of them"
    )
    parser.add_argument("--tag", help="only those with this tag")
    parser.add_argument("--lang", help="only tasks in this language (en, zh, …)")
    parser.add_argument("--kind", help="only this kind (generate, choose; text, molecule, qa, …)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the entries that pass the filters."""
    registry = open_registry(args)
    shelf: list[Registered[Any]] = list(getattr(registry, args.what))
    names = dict(zip((item.full_name for item in shelf), getattr(registry, args.what).names(), strict=True))
    chosen = [item for item in shelf if _passes(item.entry, args)]
    if args.json:
        rows = [{"name": names[i.full_name], "full_name": i.full_name, **facts(i)} for i in chosen]
        write_json(rows)
        return 0
    table = Table("", [args.what.removesuffix("s"), _second(args.what), "plugin", "summary"])
    for item in chosen:
        table.rows.append(
            [names[item.full_name], _fact(item, registry), item.plugin.name, item.entry.summary]
        )
    table.notes = [f"{len(chosen)} of {len(shelf)} {args.what}"]
    print_table(table, left=True)
    return 0


def _passes(entry: Entry, args: argparse.Namespace) -> bool:
    wanted = [
        (args.tag, getattr(entry, "tags", ())),
        (args.lang, getattr(entry, "languages", ())),
        (args.kind, (_kind(entry),)),
    ]
    return all(value is None or value in values for value, values in wanted)


def _kind(entry: Entry) -> str:
    return "group" if getattr(entry, "members", ()) else str(getattr(entry, "kind", "model"))


def _second(what: str) -> str:
    return {"models": "presets", "retrievers": "takes", "stages": "rows"}.get(what, "kind")


def _fact(item: Registered[Any], registry: Registry) -> str:
    if isinstance(item.entry, ModelEntry):
        return ", ".join(item.entry.presets)
    if isinstance(item.entry, StageEntry):
        return " or ".join(kind.__name__ for kind in item.entry.rows)
    return item.entry.takes if isinstance(item.entry, RetrieverEntry) else _kind(item.entry)


def facts(item: Registered[Any]) -> dict[str, Any]:
    """Return an entry as JSON-able facts."""
    names = [name for name in item.entry.__dataclass_fields__ if name not in ("name", "recipes")]
    return {"plugin": item.plugin.name, **{name: _plain(getattr(item.entry, name)) for name in names}}


def _plain(value: Any) -> Any:
    """Return the kinds of rows of a stage by their names, and all else as it is."""
    return [_plain(item) for item in value] if isinstance(value, tuple) else getattr(value, "__name__", value)
