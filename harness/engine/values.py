"""Values of settings as their types: from text, TOML and JSON; what has another type is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from harness.api.bounds import refuse_out_of_bounds
from harness.api.errors import UsageError, nearest
from harness.api.model import NoOptions

T = TypeVar("T")
WORDS = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path"}
SHOWN = 80  # characters of a wrong value that a message repeats


def convert(value: Any, hint: Any, key: str, source: str) -> Any:
    """Return a value as its type; a number given as text is read, nothing else is guessed."""
    kind = get_origin(hint)
    if kind is Annotated:
        return convert(value, get_args(hint)[0], key, source)
    if kind in (Union, UnionType):
        kinds = [part for part in get_args(hint) if part is not NoneType]
        if value is None or (value == "none" and NoneType in get_args(hint)):
            return None
        tables = [part for part in kinds if get_origin(part) is Mapping and isinstance(value, Mapping)]
        return convert(value, (tables or kinds)[0], key, source)
    if kind is Literal:
        if value in get_args(hint):
            return value
        words = list(map(str, get_args(hint)))
        raise UsageError(f"{key} = {shown(value)} ({source}) is unknown", hint=nearest(str(value), words))
    if kind in (tuple, list, Sequence):
        return _many(value, kind, get_args(hint), key, source)
    if kind is Mapping and isinstance(value, Mapping):
        inner = get_args(hint)[1]
        return {name: convert(item, inner, f"{key}.{name}", source) for name, item in value.items()}
    if hint is Any:
        return value
    return _one(value, hint, key, source)


def _many(value: Any, kind: Any, kinds: tuple[Any, ...], key: str, source: str) -> Any:
    items = listed(value)
    fixed = kind is tuple and Ellipsis not in kinds
    if fixed and len(items) != len(kinds):
        raise UsageError(f"{key} = {shown(value)} ({source}) must hold {len(kinds)} values")
    wanted = kinds if fixed else [kinds[0]] * len(items)
    found = [convert(item, hint, key, source) for item, hint in zip(items, wanted, strict=True)]
    return found if kind is list else tuple(found)


def _one(value: Any, hint: Any, key: str, source: str) -> Any:
    if hint in (int, float) and isinstance(value, str):
        with suppress(ValueError):
            value = hint(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is float and number:
        with suppress(OverflowError):
            value = float(value)
    if hint is str and number:
        return str(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    odd = (isinstance(value, bool) and hint is not bool) or value in (math.inf, -math.inf) or value != value
    if isinstance(hint, type) and isinstance(value, hint) and not odd:
        return value
    word = WORDS.get(hint, getattr(hint, "__name__", str(hint)))
    raise UsageError(f"{key} = {shown(value)} ({source}) is no {word}", hint=f"{key} takes a {word}")


def listed(value: Any) -> list[Any]:
    """Return several values as a list; of a text, what stands between commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, list | tuple) else [value]


def shown(value: Any) -> str:
    """Return a wrong value as a message repeats it."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to print whole numbers of thousands of digits
        text = f"a number of {value.bit_length():,} bits"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def make_options(kind: type, values: Mapping[str, Any], owner: str, section: str = "model") -> Any:
    """Build a model's or a task's options; a name that it does not have gets the nearest that it has."""
    if kind is NoOptions or not is_dataclass(kind):
        if values:
            raise UsageError(f"{section} '{owner}' has no options, '{next(iter(values))}' was set")
        return kind()
    hints = get_type_hints(kind)
    known = {item.name for item in fields(kind)}
    converted = {}
    for name, value in values.items():
        if name not in known:
            raise UsageError(f"{section} '{owner}' has no option '{name}'", hint=nearest(name, known))
        converted[name] = convert(value, hints[name], f"{section}.{name}", f"{section} option")
    options = kind(**converted)
    refuse_out_of_bounds(options, section)
    return options


@cache  # of our own classes: reading annotations takes long
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def from_mapping(kind: type[T], data: Mapping[str, Any]) -> T:
    """Build a (nested) dataclass out of what was read from JSON, which this program has written."""
    hints = _hints(kind)  # type: ignore[arg-type]
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _restored(hints[name], value) for name, value in data.items() if name in known})


def _restored(hint: Any, value: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        present = [part for part in get_args(hint) if part is not NoneType]
        return None if value is None else _restored(present[0], value)
    if is_dataclass(hint):
        return from_mapping(hint, value)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        return tuple(_restored(get_args(hint)[0], item) for item in value)
    return Path(value) if hint is Path else value
