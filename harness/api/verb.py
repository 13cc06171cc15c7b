"""What a plugin that brings a verb offers: an entry, cheap to list, and a class imported when chosen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a listing parses nothing
    from argparse import ArgumentParser, Namespace

    from .workbench import Workbench


@dataclass(frozen=True, slots=True)
class VerbEntry:
    """A verb on the shelf. `target` is `"package.module:Class"` of a `Verb`, imported only when chosen.

    `examples` are whole command lines; its help ends with them.
    """

    name: str
    summary: str
    target: str
    requires: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


class Verb(ABC):
    """Base of a verb. Its docstring is what its help says; `run` gets the parsed arguments and a workbench.

    `--plugin`, `--no-plugin` and `--debug` are every verb's and are not added here.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:  # noqa: B027  many take none
        """Say what the verb takes; nothing by default."""

    @abstractmethod
    def run(self, args: Namespace, bench: Workbench) -> int:
        """Do it and return the exit code; what goes wrong is raised as one of the harness's errors."""
