"""JSON that is always the same for the same value, in files of our own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from harness.api import DataError

from .writing import write

SEAL = "seal"


def to_json(value: Any, *, sort: bool = True, allow_nan: bool = True) -> str:
    """Return canonical JSON: keys sorted unless told not to, UTF-8 as it is, lone surrogates escaped."""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value

    def dumped(*, ascii: bool) -> str:
        return json.dumps(
            plain, sort_keys=sort, ensure_ascii=ascii, allow_nan=allow_nan, indent=1, default=_plain
        )

    text = dumped(ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a model may say half a surrogate pair
        text = dumped(ascii=True)
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "item"):  # a number of numpy's
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def digest(value: Any) -> str:
    """Hash any JSON-able value."""
    import hashlib  # here, because it loads OpenSSL, and a listing hashes nothing

    return hashlib.sha256(to_json(value).encode()).hexdigest()[:16]


def write_json(path: Path, value: Any, *, sort: bool = True) -> None:
    """Write a JSON file whole or not at all."""
    write(path, to_json(value, sort=sort) + "\n")


def why_unread(error: Exception) -> str:
    """Say why a text could not be read, without words that are meant for programmers."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return "a number of thousands of digits" if "int_max_str_digits" in str(error) else str(error)


def read_json(path: Path) -> Any:
    """Read a JSON file of ours; what is wrong with it is said with its name."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {why_unread(error)}") from error


def write_sealed(path: Path, value: Any, *, sort: bool = True) -> None:
    """Write a JSON object whole or not at all, with a digest of itself, so that damage to it shows."""
    plain = json.loads(to_json(value, sort=sort))
    write_json(path, plain | {SEAL: digest(plain)}, sort=sort)


def read_sealed(path: Path) -> dict[str, Any]:
    """Read such a file; one that is not what was written is refused."""
    value = read_json(path)
    if not isinstance(value, dict) or value.pop(SEAL, "") != digest(value):
        raise DataError(
            f"{path} is not what was written", hint="restore it, or repeat the command with --fresh"
        )
    return value
