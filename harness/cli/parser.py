"""argparse that raises our errors and suggests the nearest flag."""

from __future__ import annotations

import argparse
from typing import NoReturn

from harness.api.errors import UsageError, nearest

PROGRAM = "run-bench"


class Parser(argparse.ArgumentParser):
    """argparse that raises our errors and suggests the nearest flag."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing; a misspelt flag gets a suggestion."""
        hint = f"{self.prog} --help lists every flag"
        if message.startswith("unrecognized arguments:"):
            unknown = message.partition(": ")[2].split()[0].partition("=")[0]
            known = option_strings(self)
            message = f"unknown argument {unknown}"
            if (close := nearest(unknown, known)).startswith("did you mean"):
                hint = close
        raise UsageError(message, hint=hint)


def option_strings(parser: argparse.ArgumentParser) -> list[str]:
    """Return every flag of a parser and of the verbs below it."""
    known: list[str] = []
    for action in parser._actions:  # argparse has no public way to ask
        known += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                known += option_strings(below)
    return known
