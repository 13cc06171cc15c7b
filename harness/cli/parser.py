"""argparse that raises our errors and suggests the nearest flag."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from harness.api.errors import UsageError, nearest

PROGRAM = "run-bench"
EXAMPLES = "examples:"
LONGEST = 240  # characters of a wrong argument that a message repeats


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


class Sentences(argparse.HelpFormatter):
    """Wraps sentences and lists to the terminal's width, and leaves examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(self._part(part, width) for part in text.split("\n\n"))

    def _part(self, part: str, width: int) -> str:
        if part.startswith(EXAMPLES):
            return part
        if not part.startswith("  "):
            return super()._fill_text(part, width, "")
        return "\n".join(
            textwrap.fill(line, width, initial_indent="  ", subsequent_indent="      ")
            for line in map(str.strip, part.splitlines())
        )


def add_verb(
    subparsers: Any, verb: str, description: str, *examples: str, summary: str | None = None
) -> argparse.ArgumentParser:
    """Add a verb whose help says what it does and ends with examples, each a whole command line.

    `summary` is what the help of the verb above it says of it.
    """
    more = {} if summary is None else {"help": summary}
    parser: argparse.ArgumentParser = subparsers.add_parser(
        verb,
        description=description,
        epilog=_listed(examples),
        formatter_class=Sentences,
        allow_abbrev=False,
        **more,
    )
    return parser


def end_actions(parser: argparse.ArgumentParser, *examples: str) -> None:
    """Let the help of each action say what the action does, and end with its own ones among examples."""
    for action in parser._actions:  # argparse has no public way to ask
        if isinstance(action, argparse._SubParsersAction):
            summaries = {each.dest: each.help for each in action._choices_actions}
            for name, below in action.choices.items():
                below.formatter_class = Sentences
                below.description = below.description or sentence(summaries.get(name) or name)
                below.epilog = _listed([line for line in examples if line.startswith(below.prog)])


def _listed(examples: Sequence[str]) -> str | None:
    return "\n".join([EXAMPLES, *(f"  {line}" for line in examples)]) if examples else None


class Parser(argparse.ArgumentParser):
    """argparse that raises our errors and suggests the nearest flag."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing; a misspelt flag gets a suggestion."""
        hint = f"{self.prog} --help lists every flag"
        if message.startswith("unrecognized arguments:"):
            unknown = next(iter(message.partition(": ")[2].split()), "''").partition("=")[0]
            known = option_strings(self)
            message = f"unknown argument {unknown}"
            if unknown in HABITS:
                hint = HABITS[unknown]
            elif unknown in known:
                hint = "another verb takes it; --help behind a verb lists what that one takes"
            elif (close := nearest(unknown, known)).startswith("did you mean"):
                hint = close
        raise UsageError(message if len(message) <= LONGEST else message[: LONGEST - 1] + "…", hint=hint)


def sentence(text: str) -> str:
    """Return a phrase as a sentence."""
    return text[0].upper() + text[1:] + "."


def option_strings(parser: argparse.ArgumentParser) -> list[str]:
    """Return every flag of a parser and of the verbs below it."""
    known: list[str] = []
    for action in parser._actions:  # argparse has no public way to ask
        known += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                known += option_strings(below)
    return known
