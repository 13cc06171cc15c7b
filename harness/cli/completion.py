"""`completion`: what a shell needs to complete verbs, flags and the names of models, tasks and presets."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from harness.api.errors import HarnessError, UsageError
from harness.engine.registry import Registry

from .output import write
from .parser import Parser, add_verb, option_strings
from .run_arguments import add_plugin_arguments, open_registry

SCRIPTS = {
    "bash": """\
_run_bench() {
    local IFS=$'\\n'
    COMPREPLY=($(run-bench completion --words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _run_bench run-bench
""",
    "zsh": """\
#compdef run-bench
_run_bench() {
    local -a found
    found=("${(@f)$(run-bench completion --words "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -- $found; else _files; fi
}
compdef _run_bench run-bench
""",
    "fish": """\
function __run_bench
    set -l words (commandline -opc) (commandline -ct)
    run-bench completion --words $words[2..-1] 2>/dev/null
end
complete -c run-bench -a '(__run_bench)'
""",
}


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "completion",
        "Print what makes a shell complete the names of verbs, flags, models, tasks, presets and metrics.",
        'eval "$(run-bench completion bash)"',
        "run-bench completion zsh > ~/.zfunc/_run-bench",
        "run-bench completion fish > ~/.config/fish/completions/run-bench.fish",
    )
    parser.add_argument("shell", nargs="?", choices=SCRIPTS, help="which shell")
    parser.add_argument(
        "--words", nargs=argparse.REMAINDER, help="what the script asks: print what may end this line"
    )


def run(args: argparse.Namespace) -> int:
    """Print a script, or what may come next."""
    if args.words is not None:
        write("".join(f"{name}\n" for name in endings(args.words)))
    elif args.shell is None:
        raise UsageError("no shell is named", hint="run-bench completion bash, zsh or fish")
    else:
        write(SCRIPTS[args.shell])
    return 0


def endings(words: Sequence[str]) -> list[str]:
    """Return what the last word may become; nothing where it is a file or anybody's guess."""
    from .main import load, verbs  # here, because main imports verbs by name

    *before, last = words or [""]
    if not before and not last.startswith("-"):
        return _beginning(last, verbs())
    verb = before[0] if before and not before[0].startswith("-") else "run"
    try:
        program = load(verb, before)
    except HarnessError:  # a verb that there is not ends in nothing
        return []
    below = Parser(add_help=False).add_subparsers()
    program.add_parser(below)
    return list(_endings(below.choices[verb], before[before[:1] == [verb] :], last))


def _endings(parser: argparse.ArgumentParser, before: Sequence[str], last: str) -> Iterator[str]:
    parser, places = _reached(parser, before)
    if last.startswith("-"):
        return iter(_beginning(last, option_strings(parser)))
    flag = before[-1] if before else ""
    option = parser._option_string_actions.get(flag)
    if option is not None and option.nargs != 0:
        return iter(_values(option, flag, before, last))
    found = [choice for action in places for choice in _beginning(last, action.choices or ())]
    if any(action.metavar == "NAME" for action in places):  # of `show`
        found += _beginning(last, [name for shelf in SHELVES.values() for name in shelf(_registry(before))])
    return iter(dict.fromkeys(found))


def _reached(
    parser: argparse.ArgumentParser, before: Sequence[str]
) -> tuple[argparse.ArgumentParser, list[argparse.Action]]:
    """Return the parser that the words before lead to, and what may stand there without a flag."""
    places = [action for action in parser._actions if not action.option_strings]
    for action in places:
        if isinstance(action, argparse._SubParsersAction):
            if named := [word for word in before if word in action.choices]:
                return _reached(action.choices[named[0]], before[list(before).index(named[0]) + 1 :])
    return parser, [action for action in places if not (action.choices and set(before) & set(action.choices))]


SHELVES: dict[str, Callable[[Registry], Sequence[str]]] = {
    "--model": lambda registry: registry.models.names(),
    "--task": lambda registry: registry.tasks.names(),
    "--metrics": lambda registry: registry.metrics.names(),
    "--retriever": lambda registry: registry.retrievers.names(),
    "--stage": lambda registry: registry.stages.names(),
}


def _values(option: argparse.Action, flag: str, before: Sequence[str], last: str) -> list[str]:
    """Return what an option may be; of several with commas, what the last one may be."""
    if option.choices:
        return _beginning(last, option.choices)
    if flag == "--preset":
        return _beginning(last, _presets(before))
    if flag not in SHELVES:
        return []
    done, comma, begun = last.rpartition(",")
    return [f"{done}{comma}{name}" for name in _beginning(begun, SHELVES[flag](_registry(before)))]


def _presets(before: Sequence[str]) -> Sequence[str]:
    named = [word for flag, word in pairwise(before) if flag == "--model"]
    models = _registry(before).models
    return models.get(named[-1]).entry.presets if named and named[-1] in models else ()


def _registry(before: Sequence[str]) -> Registry:
    parser = Parser(add_help=False, allow_abbrev=False)
    add_plugin_arguments(parser)
    return open_registry(parser.parse_known_args(list(before))[0])


def _beginning(begun: str, names: Any) -> list[str]:
    return [name for name in names if name.startswith(begun)]
