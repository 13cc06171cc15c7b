"""Objects of a JSON array or of JSON lines, one at a time, so that a gigabyte needs no gigabyte of memory."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import DataError
from harness.files.json_files import why_unread

from .text_lines import Fault, first_bytes, open_bytes, read_lines, shown, text_fault

CHUNK = 1 << 18  # characters
MAX_ITEM = 1 << 20  # characters; longer than any row
_SPACE = " \t\n\r"


@dataclass(frozen=True, slots=True)
class Item:
    """One object with the line where it starts. With a fault, the value is not to be used."""

    line: int
    value: dict[str, Any]
    fault: Fault | None = None


def read_items(path: Path) -> Iterator[Item]:
    """Yield the objects of a JSON array or of a file with one JSON object a line."""
    start = first_bytes(path)
    first = start.lstrip()[:1]
    if first == b"[":
        return (_checked(line, value) for line, value in _ArrayReader(path).items())
    if first == b"{":
        return _read_json_lines(path)
    found = shown(start.decode("utf-8", "replace"))
    raise DataError(f"{path}: expected a JSON array or one JSON object a line, found {found}")


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line, object) of such a file; a bad one is a `DataError` at its place."""
    if not path.is_file():
        raise DataError(f"no {path.name} in {path.parent}", hint="a JSON array, or one JSON object a line")
    for item in read_items(path):
        if item.fault is not None:
            raise item.fault.at(path, item.line)
        yield item.line, item.value


def _read_json_lines(path: Path) -> Iterator[Item]:
    for line in read_lines(path):
        if line.fault is not None:
            yield Item(line.number, {}, line.fault)
        elif line.text.strip():
            try:
                value = _DECODER.decode(line.text)
            except (ValueError, RecursionError) as error:
                fault = Fault("json", "one JSON object a line", f"{shown(line.text)} ({_reason(error)})")
                yield Item(line.number, {}, fault)
            else:
                yield _checked(line.number, value)


class _ArrayReader:
    """Decodes an array's items out of a window that slides over the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffer = ""
        self._at = 0
        self._line = 1

    def items(self) -> Iterator[tuple[int, Any]]:
        """Yield (line, value) for each item; a file that is no whole array is a `DataError` at its place."""
        with open_bytes(self._path) as raw:
            self._text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape")
            try:
                yield from self._array()
            except (OSError, EOFError, zlib.error) as error:
                raise self._failure("readable data", str(error)) from error

    def _array(self) -> Iterator[tuple[int, Any]]:
        self._take("[")
        if self._next() == "]":
            return self._finish()
        while True:
            self._next()
            line = self._line
            yield line, self._value()
            if self._next() == "]":
                return self._finish()
            self._take(",")

    def _finish(self) -> None:
        self._take("]")
        if extra := self._next():
            raise self._failure("nothing after the array", repr(extra))

    def _next(self) -> str:
        """Move to the next character that is no space and return it; empty at the end."""
        while True:
            buffer, end, at = self._buffer, len(self._buffer), self._at
            while at < end and buffer[at] in _SPACE:
                at += 1
            self._advance(at)
            if at < end:
                return buffer[at]
            if not self._read_more():
                return ""

    def _take(self, char: str) -> None:
        found = self._next()
        if found != char:
            raise self._failure(f"'{char}'", f"'{found}'" if found else "the end of the file: it is cut off")
        self._advance(self._at + 1)

    def _value(self) -> Any:
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                # the item may go on past the window
                if len(self._buffer) - self._at > MAX_ITEM or not self._read_more():
                    expected = f"a JSON object of at most {MAX_ITEM:,} characters"
                    raise self._failure(expected, f"{self._rest()} ({_reason(error)})") from error
            else:
                self._advance(end)
                return value

    def _advance(self, to: int) -> None:
        self._line += self._buffer.count("\n", self._at, to)
        self._at = to

    def _read_more(self) -> bool:
        chunk = self._text.read(CHUNK)
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        return bool(chunk)

    def _rest(self) -> str:
        return shown(self._buffer[self._at : self._at + 200])

    def _failure(self, expected: str, found: str) -> DataError:
        return DataError(f"{self._path}:{self._line}: expected {expected}, found {found}")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object names a key twice")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys)


def _checked(line: int, value: Any) -> Item:
    if not isinstance(value, dict):
        return Item(line, {}, Fault("json", "an object", shown(repr(value))))
    for name, text in value.items():
        if isinstance(text, str) and (fault := text_fault(text)):
            return Item(line, {}, Fault(fault.kind, f"{fault.expected} in '{name}'", fault.found))
    return Item(line, value)


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return why_unread(error)
