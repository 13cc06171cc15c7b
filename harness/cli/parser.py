"""argparse that raises our errors and suggests the nearest flag."""

from __future__ import annotations

import argparse
from typing import NoReturn

from harness.api.errors import UsageError, nearest

PROGRAM = "run-bench"


# What other harnesses call it.
HABITS = {
    "--tasks": "--task A,B",
    "--model_args": "--checkpoint DIR_OR_HUB_ID, or --set model.NAME=VALUE",
    "--num_fewshot": "--set task.shots=N",
    "--batch_size": "batches find their own size; --batch-tokens N sets it in tokens",
    "--apply_chat_template": "--set model.template=chat",
    "--output_path": "--output DIR",
    "--gen_kwargs": "--set generate.NAME=VALUE",
    "--predict_only": "run-bench generate",
}


class Parser(argparse.ArgumentParser):
    """argparse that raises our errors and suggests the nearest flag."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing; a misspelt flag gets a suggestion."""
        hint = f"{self.prog} --help lists every flag"
        if message.startswith("unrecognized arguments:"):
            unknown = message.partition(": ")[2].split()[0].partition("=")[0]
            known = option_strings(self)
            message = f"unknown argument {unknown}"
            if unknown in HABITS:
                hint = HABITS[unknown]
            elif (close := nearest(unknown, known)).startswith("did you mean"):
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
