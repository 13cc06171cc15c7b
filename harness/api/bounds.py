"""What a setting may be, and what depends on it: written on the field, read by all who ask.

    batch_size: Annotated[int, Range(least=1)] = 8
    method: Annotated[str, OneOf("full", "lora", "qlora")] = "full"
    save_every: Annotated[int, Range(least=1), HOW] = 500

A field without an effect changes the result, whichever it is; one that is added after results were recorded
names the value that they were made with: `Since(1)`. The options of models, tasks and stages are
written in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from enum import Enum
from typing import Any, get_type_hints

from .errors import UsageError, nearest


class Effect(Enum):
    """What a setting changes, where it does not change every result."""

    LEARNED = "what is learned, and nothing of how it is asked"
    ASKED = "what is asked and scored, and nothing of what is learned"
    HOW = "only how a result is computed"
    WHERE = "only where things are; what is there is known by its content"


LEARNED, ASKED, HOW, WHERE = Effect


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers that a setting may have."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def __contains__(self, value: object) -> bool:
        return (
            isinstance(value, int | float)
            and not math.isnan(value)
            and (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        ends = {"at least": self.least, "more than": self.above, "at most": self.most, "below": self.below}
        return " and ".join(f"{words} {end:g}" for words, end in ends.items() if end is not None)


@dataclass(frozen=True, slots=True)
class Since:
    """The value with which everything was made that was recorded before the setting came.

    With that value the setting counts for nothing, so that old results stay the same results.
    """

    value: Any


class OneOf(tuple[str, ...]):
    """The words that a setting may be."""

    __slots__ = ()

    def __new__(cls, *words: str) -> OneOf:
        """Take the words one by one."""
        return super().__new__(cls, words)

    def __str__(self) -> str:
        *others, last = (word or "empty" for word in self)
        return f"{', '.join(others)} or {last}" if others else last


def marks(kind: type) -> dict[str, tuple[Any, ...]]:
    """Return for each field of a dataclass what is written on it."""
    if kind not in _MARKS:
        _MARKS[kind] = _marks(kind)
    return _MARKS[kind]


_MARKS: dict[type, dict[str, tuple[Any, ...]]] = {}  # reading annotations takes long


def _marks(kind: type) -> dict[str, tuple[Any, ...]]:
    hints = get_type_hints(kind, include_extras=True)
    return {name: tuple(getattr(hint, "__metadata__", ())) for name, hint in hints.items()}


def what_counts(settings: Any, *without: Effect) -> dict[str, Any]:
    """Return the settings that can change a result, those inside others too.

    How and where a result is computed is always left out; `without` leaves out more.
    """
    left_out = {HOW, WHERE, *without}
    counted = {}
    for name, written in marks(type(settings)).items():
        value = getattr(settings, name)
        counts = left_out.isdisjoint(mark for mark in written if isinstance(mark, Effect))
        if counts and not any(isinstance(mark, Since) and mark.value == value for mark in written):
            counted[name] = _counted(value, without)
    return counted


def _counted(value: Any, without: tuple[Effect, ...]) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return what_counts(value, *without)
    if isinstance(value, Mapping):
        return dict(value)
    return [_counted(item, without) for item in value] if isinstance(value, list | tuple) else value


def refuse_out_of_bounds(settings: Any, section: str) -> None:
    """Refuse the first value that its field does not allow, in settings inside others too.

    Of a field with several values each must be allowed.
    """
    for name, written in marks(type(settings)).items():
        key, value = f"{section}.{name}", getattr(settings, name)
        if is_dataclass(value):
            refuse_out_of_bounds(value, key)
        values = value if isinstance(value, tuple) else (value,)
        for bound in written:
            for one in values if isinstance(bound, Range | OneOf) else ():
                if one is not None and one not in bound:
                    raise UsageError(f"{key} is {one}, it must be {bound}", hint=_hint(key, one, bound))


def _hint(key: str, value: Any, bound: Range | OneOf) -> str:
    close = nearest(str(value), bound) if isinstance(bound, OneOf) else ""
    return close if close.startswith("did you mean") else f"without {key} the preset decides, or the default"
