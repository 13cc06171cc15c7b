"""`resume RUN`: repeat the command that made a run directory; it continues where it stopped."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import Any

from harness.api.errors import UsageError
from harness.engine.runner import command_of

from .output import say
from .parser import PROGRAM, add_verb


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "resume",
        "Continue a run by its directory, from anywhere: the command that made it is repeated.",
        "run-bench resume runs/toy/toy/RUN",
    )
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def run(args: argparse.Namespace) -> int:
    """Read the command back and run it without anything that would start over."""
    from .main import parse  # here, because main imports verbs by name

    command, directory, environment = command_of(args.run_directory)
    if command[0] != PROGRAM:
        raise UsageError(
            f"{args.run_directory} was begun from Python", hint="the same call of harness.run continues it"
        )
    command = [part for part in command[1:] if part != "--fresh"]
    if args.json and "--json" not in command:
        command.append("--json")
    say(f"continuing, in {directory}: run-bench {shlex.join(command)}")
    try:
        os.chdir(directory)
    except OSError as error:
        raise UsageError(
            f"the run was begun in {directory}, which cannot be entered: {error.strerror}",
            hint="run the command above where its files are now",
        ) from error
    os.environ.update(environment)
    module, again = parse(command)
    again.ranks = args.ranks
    return int(module.run(again))
