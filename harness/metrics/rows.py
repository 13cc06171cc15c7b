"""The texts of scored rows, read once and kept where all metrics of a scoring find them.

Anything that is not text (None, NaN, a number) counts as an empty answer. Work that depends on content
alone (tokens of the references, parsed molecules) is kept in `shared(pairs)`, which several files that
are scored against the same references may have in common.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from harness import Example, Pairs, Prediction, Score

T = TypeVar("T")
Ints = NDArray[np.int64]


def cached(cache: dict[Any, Any], key: Any, make: Callable[[], T]) -> T:
    """Return what is kept under `key`, making it the first time."""
    if key not in cache:
        cache[key] = make()
    return cast(T, cache[key])


def shared(pairs: Pairs) -> dict[Any, Any]:
    """Return the part of the cache that depends on content alone."""
    return cached(pairs.cache, "shared", dict)


def clean(value: object) -> str:
    """Return a text as it is and anything else as an empty one."""
    return value if isinstance(value, str) else ""


def outputs(pairs: Pairs) -> tuple[str, ...]:
    """Return the answer of each row."""
    return cached(pairs.cache, "outputs", lambda: tuple(clean(p.text) for _, p in pairs))


def references(pairs: Pairs) -> tuple[tuple[str, ...], ...]:
    """Return the accepted answers of each row; a row without any has one, the empty text."""

    def read() -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(clean(r) for r in example.references) or ("",) for example, _ in pairs)

    return cached(pairs.cache, "references", read)


def first_references(pairs: Pairs) -> tuple[str, ...]:
    """Return the first accepted answer of each row."""
    return cached(pairs.cache, "first", lambda: tuple(row[0] for row in references(pairs)))


def flat_references(pairs: Pairs) -> tuple[tuple[str, ...], Ints]:
    """Return all accepted answers end to end, and the row that each belongs to."""

    def flatten() -> tuple[tuple[str, ...], Ints]:
        rows = references(pairs)
        owner = np.repeat(np.arange(len(rows)), [len(row) for row in rows]) if rows else np.zeros(0, np.int64)
        return tuple(text for row in rows for text in row), owner

    return cached(pairs.cache, "flat", flatten)


def is_among(values: Ints, wanted: Ints) -> NDArray[np.bool_]:
    """Return which values are wanted: numpy's `isin` without the modules that it loads."""
    ordered = np.append(np.sort(wanted), np.iinfo(np.int64).max)
    return np.asarray(ordered[np.searchsorted(ordered[:-1], values)] == values)


def make_pairs(outputs: list[Any], references: list[Any], **facts: Any) -> Pairs:
    """Return rows for bare lists of answers and references (one text or several a row)."""
    rows = [
        (
            Example(str(i), {}, tuple([reference] if isinstance(reference, str) else reference or ())),
            Prediction(str(i), output),
        )
        for i, (output, reference) in enumerate(zip(outputs, references, strict=True))
    ]
    return Pairs(rows, **facts)


def undefined(metric: str, n: int, note: str, **facts: Any) -> Score:
    """Return the score that has no value, and why."""
    return Score(metric, None, n, note=note, **facts)
