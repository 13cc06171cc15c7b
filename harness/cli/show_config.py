"""`show-config`: the resolved configuration of each cell, with the source of every value."""

from __future__ import annotations

import argparse
from typing import Any

from harness.engine.matrix import plan

from .dry_run import settings, settings_table
from .output import write, write_json
from .parser import add_verb
from .run_arguments import add_run_arguments, asked_for, open_registry
from .tables import print_table


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "show-config",
        "Print the settings of a run that differ from the defaults, and where each comes from: "
        "flag > HARNESS_* > --config > recipe > default. No data is read.",
        "run-bench show-config --model toy --task toy",
        "run-bench show-config --model ada-t5 --task chebi20 --preset small --all",
    )
    parser.add_argument("--all", action="store_true", help="also the settings at their defaults")
    add_run_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Resolve and print."""
    asked = asked_for(args)
    cells = plan(open_registry(args, asked.plugins), asked)
    if args.json:
        rows = [{"settings": settings(cell), "sources": dict(cell.resolved.sources)} for cell in cells]
        write_json(rows)
        return 0
    for cell in cells:
        print_table(settings_table(cell, everything=args.all), left=True)
        write("\n")
    return 0
