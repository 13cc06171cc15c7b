"""Rows that are asked several times: requests, each under an id of its own, and their answers together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness.api.errors import DataError
from harness.api.example import Completion, Request


def repeated(requests: Iterable[Request], times: int) -> list[Request]:
    """Return each request as often as it is asked; a sampler draws anew for each id.

    The first keeps the row's own id, so that it is answered as in a run that asks once.
    """
    asked = [
        replace(request, id=f"{request.id}#{number + 1}") if number else request
        for request in requests
        for number in range(times)
    ]
    if twice := [name for name, count in Counter(request.id for request in asked).items() if count > 1]:
        raise DataError(f"'{twice[0]}' is the id of a row, and of another row's repeated request")
    return asked


def together(completions: Sequence[Completion], times: int) -> list[Completion]:
    """Return one completion a row, which holds its further answers."""
    rows = [completions[start : start + times] for start in range(0, len(completions), times)]
    return [replace(first, repeats=tuple(more)) for first, *more in rows]
