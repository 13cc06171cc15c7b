"""What plugins bring, by the hook that collects it, and what an entry must hold to be listed."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any

from harness.api.errors import PluginError
from harness.api.metric import MetricEntry
from harness.api.model import ModelEntry
from harness.api.retrieval import RetrieverEntry
from harness.api.stage import StageEntry
from harness.api.task import TaskEntry
from harness.api.verb import VerbEntry

Entry = ModelEntry | TaskEntry | MetricEntry | RetrieverEntry | StageEntry | VerbEntry

COLLECTING: dict[str, type] = {
    "harness_models": ModelEntry,
    "harness_tasks": TaskEntry,
    "harness_metrics": MetricEntry,
    "harness_verbs": VerbEntry,
    "harness_retrievers": RetrieverEntry,
    "harness_stages": StageEntry,
}

NAME = re.compile(r"[\w.+@-]*\w(/[\w.+@-]*\w)*")  # a name becomes a folder, and so may not climb


def label(entry: Entry) -> str:
    """Name an entry in a sentence."""
    return f"the {type(entry).__name__.removesuffix('Entry').lower()} '{entry.name}'"


def check_entry(entry: Entry) -> None:
    """Refuse what would only fail later, in the middle of somebody's listing."""
    if not isinstance(entry.name, str) or not NAME.fullmatch(entry.name):
        what = label(entry).replace(" '", " name '", 1)
        raise PluginError(f"{what} is not made of letters, digits and .+_@-, with / between parts")
    if not _holds_texts(entry):
        _refuse(entry)


def _holds_texts(entry: Entry) -> bool:
    """Tell in one look, since there may be thousands, whether all that should be text is."""
    kind: Any = type(entry)
    texts, tuples = _readers(kind)
    many = tuples(entry)
    return set(map(type, many)) == {tuple} and set(map(type, chain(texts(entry), *many))) == {str}


@cache
def _readers(kind: type[Entry]) -> tuple[attrgetter[Any], attrgetter[Any]]:
    """Return what reads the texts of an entry, and what reads its tuples of texts."""
    return attrgetter(*_fields(kind, "str")), attrgetter(*_fields(kind, "tuple[str, ...]"))


def _fields(kind: type[Entry], hint: str) -> list[str]:
    return [field.name for field in fields(kind) if field.type == hint]


def _refuse(entry: Entry) -> None:
    for name in _fields(type(entry), "str"):
        if not isinstance(value := getattr(entry, name), str):
            raise PluginError(f"{name} of {label(entry)} is {value!r}, which is no text")
    for name in _fields(type(entry), "tuple[str, ...]"):
        value = getattr(entry, name)
        if not (isinstance(value, tuple) and all(isinstance(part, str) for part in value)):
            raise PluginError(f"{name} of {label(entry)} is {value!r}, which is no tuple of texts")
