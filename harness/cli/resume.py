"""`resume RUN`: repeat the command that made a run directory; it continues where it stopped."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from harness.engine.runner import command_of


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "resume",
        description="Continue a run by its directory, from the directory that it was begun in.",
        allow_abbrev=False,
    )
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def run(args: argparse.Namespace) -> int:
    """Read the command back and run it without anything that would start over."""
    from .main import parse  # here, because main imports verbs by name

    command = [part for part in command_of(args.run_directory)[1:] if part != "--fresh"]
    sys.stderr.write("continuing: run-bench " + shlex.join(command) + "\n")
    module, again = parse(command)
    return int(module.run(again))
