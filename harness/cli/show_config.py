"""`show-config`: the resolved configuration of each cell, with the source of every value."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from harness.engine.matrix import plan

from .dry_run import settings, settings_table
from .run_arguments import add_run_arguments, asked_for, open_registry
from .tables import print_table


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "show-config",
        description="Print every setting of a run and where it comes from: "
        "flag > HARNESS_* > --config > recipe > default. No data is read.",
        allow_abbrev=False,
    )
    add_run_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Resolve and print."""
    asked = asked_for(args)
    cells = plan(open_registry(args, asked.plugins), asked)
    if args.json:
        rows = [{"settings": settings(cell), "sources": dict(cell.resolved.sources)} for cell in cells]
        sys.stdout.write(json.dumps(rows, indent=1, default=str) + "\n")
        return 0
    for cell in cells:
        print_table(settings_table(cell), left=True)
        sys.stdout.write("\n")
    return 0
