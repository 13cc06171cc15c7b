"""`explain RUN --id X`: follow one row from the data to each metric's terms."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .run_arguments import add_data_arguments, add_plugin_arguments, open_registry
from .show_run import PICTURES, say_page
from .task_views import TaskViews, hosted


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "explain",
        description="Follow one row of a run or submission: data, prompt and tokens, output, the answer that "
        "the task read, and what each metric's value is made of.",
        allow_abbrev=False,
    )
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="a run directory, or a submission")
    parser.add_argument("--id", required=True, metavar="ROW", help="the row, by its id in predictions.jsonl")
    parser.add_argument("--page", type=Path, metavar="DIR", help="also write it as a page into this folder")
    add_data_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Explain and print."""
    views = TaskViews(open_registry(args), args.data, vocab=args.vocab)
    found = hosted("explain:explain")(args.run_directory, args.id, views)
    if args.json:
        sys.stdout.write(json.dumps(asdict(found), indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(hosted("explain:as_text")(found))
    if args.page:
        say_page(hosted("explain:write_page")(found, args.page))
    elif found.picture and not args.json:
        sys.stderr.write(PICTURES)
    return 0
