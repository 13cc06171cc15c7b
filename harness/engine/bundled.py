"""What comes with the program, by name: nothing here imports what it hosts until it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from harness.api.verb import VerbEntry

FOLDERS = ("harness.plugins", "harness.tasks")
MODULES = (
    "harness.bridges",
    "harness.engine.launchers",
    "harness.leaderboards",
    "harness.metrics",
    "harness.papers",
    "harness.pseudo",
    "harness.retrieval",
    "harness.training",
    "harness.weights",
)
# The first page of help lists verbs and loads no plugin but these, which are known to bring some.
WITH_VERBS = (
    "harness.bridges",
    "harness.retrieval",
    "harness.papers",
    "harness.leaderboards",
    "harness.plugins.scimind",
    "harness.pseudo",
    "harness.weights",
)


def verbs() -> Iterator[VerbEntry]:
    """Yield the verbs that bundled plugins bring."""
    for name in WITH_VERBS:
        yield from importlib.import_module(name).harness_verbs()
