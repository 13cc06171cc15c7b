"""JSON of strangers: no larger, deeper or wilder than what can be written again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from harness import DataError
from harness.files.json_files import why_unread

MAX_BYTES, MAX_DEPTH, MAX_DIGITS = 2**20, 20, 18  # levels; digits of a whole number


def strict(data: bytes, where: str) -> Any:
    """Parse JSON that a table can hold."""
    if len(data) > MAX_BYTES:
        raise DataError(f"{where} has {len(data):,} bytes; at most {MAX_BYTES:,} are taken")
    try:
        about = json.loads(data.decode(), parse_constant=_refuse, parse_float=_finite, parse_int=_bounded)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON: {why_unread(error)[:200]}") from error
    if _is_deep(about):
        raise DataError(f"{where} is nested more than {MAX_DEPTH} deep")
    return about


def follow(value: Any, schema: Mapping[str, Any], where: str, hint: str = "") -> None:
    """Refuse what does not follow a JSON Schema, in one sentence that names the place."""
    # Here, because listing boards needs no validator.
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for

    if fault := best_match(validator_for(schema)(schema).iter_errors(value)):
        place = "/".join(map(str, fault.absolute_path))
        raise DataError(f"{where}{', ' + place if place else ''}: {fault.message[:200]}", hint=hint)


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the number {text[:20]} is too large")
    return value


def _bounded(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a whole number of {len(text)} digits is too large")
    return int(text)


def _is_deep(value: Any) -> bool:
    """Whether values stand in one another more than the levels that are taken."""
    level = [value]
    for _ in range(MAX_DEPTH):  # level by level: a function that calls itself would run out of stack
        level = [child for each in level for child in _children(each)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
