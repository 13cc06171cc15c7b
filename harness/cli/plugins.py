"""`plugins`: what was found, whether it is in use, and what it costs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from harness.api.hooks import API_VERSION
from harness.engine.plugin_manager import Entry, describe, load_plugins

from .run_arguments import add_plugin_arguments, local_plugins
from .tables import Table, print_table


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "plugins",
        description="List every plugin that was found: in use or not and why, its load time, "
        "and what heavy library it was the first to import.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the list; a broken plugin is a row, not a failure."""
    plugins = load_plugins(local_plugins(args), exclude=args.no_plugin)
    if args.json:
        rows = [
            {**describe(p), "ok": p.ok, "reason": p.reason, "seconds": round(p.seconds, 4), "heavy": p.heavy}
            for p in plugins.loaded
        ]
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return 0
    table = Table("", ["", "plugin", "origin", "version", "load", "brings", "remark"])
    for plugin in plugins.loaded:
        heavy = f"imports {', '.join(plugin.heavy)}" if plugin.heavy else ""
        table.rows.append(
            [
                "OK" if plugin.ok else "BAD",
                plugin.name,
                plugin.origin,
                plugin.version,
                f"{plugin.seconds * 1000:.0f} ms",
                _brings(plugin.entries),
                plugin.reason or heavy,
            ]
        )
    table.notes = [
        f"{len(plugins.loaded) - len(plugins.broken)} in use, {len(plugins.broken)} bad, API {API_VERSION}"
    ]
    print_table(table, left=True)
    return 0


def _brings(entries: Sequence[Entry]) -> str:
    """Count what a plugin brings; verbs, which no other list shows, are named."""
    names: dict[str, list[str]] = {}
    for entry in entries:
        names.setdefault(type(entry).__name__.removesuffix("Entry").lower(), []).append(entry.name)
    brought = [
        f"{len(found)} {kind}{'s' * (len(found) > 1)}" + (f": {', '.join(found)}" if kind == "verb" else "")
        for kind, found in names.items()
    ]
    return ", ".join(brought) or "hooks"
