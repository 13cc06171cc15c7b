"""Writes the reference page of the command line from its parsers: `python -m harness.cli.reference FILE`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .main import load, verbs
from .parser import PROGRAM, Parser, sentence

HEAD = f"""# Command line

<!-- written by `make docs` from the parsers; do not edit -->

`{PROGRAM}`, `python run_bench.py` in a checkout and `python -m harness` are the same program. Without a verb
it runs: `{PROGRAM} --model toy --task toy` is `{PROGRAM} run --model toy --task toy`.

Results go to standard output, progress and warnings to standard error. Exit codes are in [errors](errors.md),
the keys of `--set` and of configuration files in [configuration](config.md).
"""

UNTITLED = ("options", "positional arguments")  # what argparse calls the groups that have no name


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join([HEAD, *(section(verb) for verb in verbs())])


def section(verb: str) -> str:
    """Return what one verb and the actions below it do and take."""
    lines = described(f"## {verb}", verbs()[verb], verb, parser_of(verb))
    for action in parser_of(verb)._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                told = next(str(each.help) for each in action._choices_actions if each.dest == name)
                lines += described(f"### {verb} {name}", told, f"{verb} {name}", below)
    return "\n".join(lines)


def described(heading: str, text: str, verb: str, parser: argparse.ArgumentParser) -> list[str]:
    """Return the lines about one parser; what it takes as `run` does is named, not repeated."""
    known = {} if verb == "run" else groups(parser_of("run"))
    lines = [heading, "", sentence(text), "", f"`{usage(verb, parser)}`", ""]
    same = []
    for title, rows in groups(parser).items():
        if known.get(title) == rows:
            same.append(title)
        else:
            lines += [f"**{title}**", "", "| argument | meaning |", "|---|---|", *rows, ""]
    if same:
        lines += [f"It takes what [run](#run) takes under: {', '.join(same)}.", ""]
    return lines


def groups(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Return the rows of each group of arguments by its title."""
    found: dict[str, list[str]] = {}
    for group in parser._action_groups:  # argparse has no public way to ask
        title = group.title if group.title not in (None, *UNTITLED) else "general"
        rows = [
            row(action) for action in group._group_actions if not isinstance(action, argparse._HelpAction)
        ]
        if rows:
            found.setdefault(title, []).extend(rows)
    return found


def parser_of(verb: str) -> argparse.ArgumentParser:
    """Return a verb's own parser."""
    below = Parser(prog=PROGRAM, add_help=False).add_subparsers(prog=PROGRAM)
    load(verb).add_parser(below)
    parser: argparse.ArgumentParser = below.choices[verb]
    return parser


def usage(verb: str, parser: argparse.ArgumentParser) -> str:
    """Return the command with its positional arguments."""
    places = [value(action) for action in parser._actions if not action.option_strings]
    return " ".join([PROGRAM, verb, *places, "[options]"])


def row(action: argparse.Action) -> str:
    """Return an argument's row of the table."""
    names = ", ".join(action.option_strings)
    text = (action.help or "").replace("|", "\\|") % {"default": action.default, "prog": PROGRAM}
    return f"| `{' '.join(filter(None, (names, value(action))))}` | {text} |"


def value(action: argparse.Action) -> str:
    """Return how an argument's value is written; nothing for a switch."""
    if action.nargs == 0:
        return ""
    name = action.metavar or action.dest.upper()
    if action.choices is not None:
        name = "{" + ",".join(map(str, action.choices)) + "}"
    name = " ".join(name) if isinstance(name, tuple) else name
    return {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} [{name} ...]"}.get(str(action.nargs), name)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
