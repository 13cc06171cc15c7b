"""Verbs that plugins bring: found by name when a verb is not the program's own, and run on a workbench."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from harness.api.errors import PluginError, UsageError, nearest
from harness.api.verb import Verb, VerbEntry
from harness.engine.plugin_manager import blamed
from harness.engine.registry import Registered, Registry

from .parser import Parser, add_verb, end_actions
from .run_arguments import add_plugin_arguments, open_registry


def find(verb: str, arguments: Sequence[str], own: Iterable[str] = ()) -> HostedVerb:
    """Load plugins, those that the rest of the line names too, and find a verb among theirs."""
    parser = Parser(add_help=False, allow_abbrev=False)
    add_plugin_arguments(parser)
    registry = open_registry(parser.parse_known_args(arguments)[0])
    known = [*own, *registry.verbs.names()]
    if verb not in known and "/" not in verb:
        raise UsageError(f"no verb named '{verb}'", hint=nearest(verb, known))
    return HostedVerb(verb, registry.verbs.get(verb), registry)


class HostedVerb:
    """A plugin's verb in the shape of the program's own: it describes its parser, and it runs."""

    def __init__(self, name: str, found: Registered[VerbEntry], registry: Registry) -> None:
        self._name = name
        self._found = found
        self._registry = registry
        kind = found.load()
        if not (isinstance(kind, type) and issubclass(kind, Verb)):
            name = found.entry.name
            raise PluginError(f"the target of verb '{name}' is {kind!r}, which is no subclass of Verb")
        with self._blamed():
            self._verb: Verb = kind()

    def add_parser(self, subparsers: Any) -> None:
        """Describe the verb as its class does, with what every verb takes."""
        entry = self._found.entry
        said = inspect.getdoc(self._verb) or entry.summary
        parser = add_verb(subparsers, self._name, said, *entry.examples)
        with self._blamed():
            self._verb.add_arguments(parser)
            add_plugin_arguments(parser)
        end_actions(parser, *entry.examples)

    def run(self, args: argparse.Namespace) -> int:
        """Run the verb."""
        from .workbench import Desk  # here, because the help of a verb opens nothing

        with self._blamed():
            return int(self._verb.run(args, Desk(self._registry)))

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        """Put a stranger's fault to the plugin; a bundled verb's is the program's own."""
        if self._found.plugin.origin == "bundled":
            yield
            return
        with blamed(f"verb '{self._found.entry.name}' of plugin '{self._found.plugin.name}'"):
            yield
