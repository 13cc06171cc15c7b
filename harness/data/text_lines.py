"""Lines of text files that nobody checked: strict UTF-8, bounded length, every fault with its line."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from harness import DataError

MAX_LINE = 1 << 20  # bytes; the longest row of any published molecule set is under 20 KiB
# UTF-8 bytes read as Windows-1252 or Latin-1: a lead byte's letter followed by a continuation byte's
MOJIBAKE = re.compile("[ÂÃâÎÏ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|\ufffd")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_UNUSABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row cannot be used."""

    kind: str
    expected: str
    found: str

    def at(self, path: Path, line: int, hint: str = "") -> DataError:
        """Return the error that refuses the row at its place."""
        return DataError(f"{path}:{line}: expected {self.expected}, found {self.found}", hint=hint)


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end. With a fault, the text is not to be used."""

    number: int
    text: str
    fault: Fault | None = None
    ended: bool = True  # False for a last line without a line end


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, or the file inside a `.gz`; what cannot be opened is a `DataError`."""
    try:
        return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def first_bytes(path: Path, count: int = 4096) -> bytes:
    """Return how a file begins, without a byte order mark; UTF-16 and unreadable files are refused."""
    with open_bytes(path) as stream:
        try:
            start = stream.read(count)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} cannot be read: {error}") from error
    if start.startswith(_UTF16):
        raise DataError(f"{path} is UTF-16, expected UTF-8", hint="save it as UTF-8 and try again")
    return start.removeprefix(_BOM)


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a text file, never holding more than one of them."""
    first_bytes(path)
    with open_bytes(path) as stream:
        number = 0
        try:
            while raw := stream.readline(MAX_LINE + 1):
                number += 1
                if number == 1:
                    raw = raw.removeprefix(_BOM)
                if len(raw) > MAX_LINE and not raw.endswith(b"\n"):
                    size = len(raw) + _skip_to_line_end(stream)
                    fault = Fault("length", f"a line under {MAX_LINE:,} bytes", f"one of {size:,} bytes")
                    yield Line(number, "", fault)
                else:
                    yield _decoded(number, raw)
        except (OSError, EOFError, zlib.error) as error:  # a damaged or truncated .gz, a failing disk
            raise DataError(f"{path} cannot be read past line {number}: {error}") from error


def text_fault(text: str) -> Fault | None:
    """Return what makes a text unusable as one row's text: undecodable bytes, NUL, control characters."""
    match = _UNUSABLE.search(text)
    if match is None:
        return None
    position, code = match.start() + 1, ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return Fault("encoding", "UTF-8 text", f"byte 0x{code - 0xDC00:02x} at character {position}")
    if code >= 0xD800:
        return Fault("encoding", "Unicode text", f"half a surrogate pair at character {position}")
    if code == 0:
        return Fault("control", "text", f"a NUL byte at character {position}")
    return Fault("control", "text", f"control character 0x{code:02x} at character {position}")


def shown(text: str) -> str:
    """Return a text as it is quoted in messages: short, on one line, printable."""
    text = text.encode("utf-8", "replace").decode()
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _decoded(number: int, raw: bytes) -> Line:
    ended = raw.endswith(b"\n")
    text = raw.decode("utf-8", errors="surrogateescape").rstrip("\n").removesuffix("\r")
    fault = text_fault(text)
    if fault is None and "\r" in text:
        fault = Fault("line end", "lines that end in a newline", "a carriage return inside the line")
    return Line(number, text, fault, ended)


def _skip_to_line_end(stream: IO[bytes]) -> int:
    size = 0
    while chunk := stream.readline(MAX_LINE):
        size += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return size
