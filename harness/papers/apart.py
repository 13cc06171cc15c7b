"""PDFs read and drawn in a process of their own, with limits on its memory and time.

A PDF is a stranger's file, and the library that reads it is written in C++: what goes wrong there ends the
child, and here it is a sentence.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.api import DataError, MissingDependency
from harness.children import environment, python

from .paper import Box, Paper

MOST_BYTES = 64 * 2**20  # of a file
MEMORY = 3 * 2**30
SECONDS = 60
REFUSED = 4  # the child's exit code where it says what is wrong with the file


def read_file(path: Path) -> bytes:
    """Return the bytes of a PDF file."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(
                f"{path} has {path.stat().st_size:,} bytes, and at most {MOST_BYTES:,} are read",
                hint="make its pictures smaller: gs -sDEVICE=pdfwrite -dPDFSETTINGS=/ebook -o OUT IN",
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def read_paper(data: bytes) -> Paper:
    """Read a PDF."""
    _need("pypdfium2")
    return Paper.from_json(json.loads(_asked({"do": "read"}, data)))


def draw_page(data: bytes, page: int, marks: Sequence[tuple[str, Box]]) -> bytes:
    """Return a page of a PDF as PNG, with boxes marked, each with its name."""
    _need("pypdfium2", "PIL")
    return _asked({"do": "draw", "page": page, "marks": marks}, data)


def _need(*libraries: str) -> None:
    if missing := [name for name in libraries if importlib.util.find_spec(name) is None]:
        raise MissingDependency(
            f"papers need {' and '.join(missing)}", hint="pip install 'assay-bench[papers]'"
        )


def _asked(task: dict[str, Any], data: bytes) -> bytes:
    """Hand a task and a PDF to a child, and return what it says."""
    command = python("-m", __name__)
    given = json.dumps(task).encode() + b"\n" + data
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, timeout=SECONDS, env=environment(), check=False
        )
    except subprocess.TimeoutExpired:
        raise DataError(
            f"this PDF takes longer than {SECONDS} s", hint="cut it: qpdf IN --pages . 1-20 -- OUT"
        ) from None
    if done.returncode == REFUSED:
        raise DataError(**json.loads(done.stderr))
    if done.returncode:
        raise DataError(
            f"this PDF is broken: what reads it ended with {done.returncode}", hint="open and save it anew"
        )
    return done.stdout


def _limit() -> None:
    """Take no more memory than a paper needs; Windows has no such limit."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # here, because Windows has none

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> int:
    """Do what the first line of the input asks for with the PDF behind it."""
    _limit()
    task = json.loads(sys.stdin.buffer.readline())
    data = sys.stdin.buffer.read()
    try:
        sys.stdout.buffer.write(_done(task, data))
    except DataError as error:
        sys.stderr.write(json.dumps({"message": error.message, "hint": error.hint}))
        return REFUSED
    return 0


def _done(task: dict[str, Any], data: bytes) -> bytes:
    if task["do"] == "read":
        from .reading import read  # here and below, because the parent imports no such library

        return json.dumps(read(data).as_json()).encode()
    from .pictures import draw

    return draw(data, task["page"], [(name, Box(*box)) for name, box in task["marks"]])


if __name__ == "__main__":
    sys.exit(main())
