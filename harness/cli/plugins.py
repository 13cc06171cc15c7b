"""`plugins`: what was found, whether it is in use, and what it costs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.api.errors import UsageError
from harness.api.hooks import API_VERSION
from harness.engine.entries import Entry
from harness.engine.plugin_manager import Plugins, describe, load_plugins
from harness.files import writing

from .output import write, write_json
from .parser import add_verb
from .run_arguments import add_plugin_arguments, local_plugins
from .tables import Table, print_table


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "plugins",
        "List every plugin that was found: in use or not and why, its load time, "
        "and what heavy library it was the first to import. `plugins check NAME` holds plugins to the "
        "conformance kit.",
        "run-bench plugins",
        "run-bench plugins check ./my_plugin.py",
    )
    parser.add_argument("action", nargs="?", choices=["check"], help="hold plugins to the conformance kit")
    parser.add_argument("names", nargs="*", metavar="NAME_OR_PATH", help="the plugins to check")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--badge", type=Path, metavar="FILE", help="with check: write a badge as SVG")
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the list, in which a broken plugin is a row and no failure, or check some of them."""
    if args.action == "check":
        return _check([*args.names, *local_plugins(args)], as_json=args.json, badge=args.badge)
    return _list(load_plugins(local_plugins(args), exclude=args.no_plugin), as_json=args.json)


def _check(names: list[str], *, as_json: bool, badge: Path | None) -> int:
    # Here, because the kit is needed for this alone.
    from harness.testing import checks_of, run_check, subject_of
    from harness.testing.report import badge_of, lines_of

    if not names:
        raise UsageError("no plugin is named", hint="run-bench plugins check NAME_OR_PATH")
    results = []
    for name in names:
        for item, check in checks_of(subject_of(name)):
            results.append(run_check(item, check))
            if not as_json:
                write(f"{results[-1]}\n")
    if as_json:
        write_json([asdict(result) for result in results])
    else:
        write("\n".join(lines_of(results)) + "\n")
    if badge is not None:
        writing.write(badge, badge_of(results))
    return 1 if any(result.status == "failed" for result in results) else 0


def _list(plugins: Plugins, *, as_json: bool) -> int:
    if as_json:
        rows = [
            {**describe(p), "ok": p.ok, "reason": p.reason, "seconds": round(p.seconds, 4), "heavy": p.heavy}
            for p in plugins.loaded
        ]
        write_json(rows)
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
