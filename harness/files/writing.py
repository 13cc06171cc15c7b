"""Files that are whole or absent, and on disk for good before anybody is told of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"  # how a name ends that is not finished


@contextmanager
def writing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Yield a file to write into; it appears under `path`, whole, when the block ends well.

    A file that is not durable may be lost with the power, as what can be built again may be.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}{PARTIAL}")
    with naming(path):
        try:
            with aside.open("wb") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            aside.replace(path)
            if durable:
                sync(path.parent)
        finally:
            aside.unlink(missing_ok=True)


def write(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Write a file whole or not at all, making its folder."""
    make_folder(path.parent)
    with writing(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, such that no power cut takes one of them away again."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(path: Path) -> None:
    """Wait until a file, or a folder with all that is below it, is on disk under its name."""
    for below in path.rglob("*") if path.is_dir() else ():
        sync(below)
    sync(path)
    sync(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let a failed write say which file it was, as a full disk by itself does not."""
    try:
        yield
    except OSError as failure:
        failure.filename = str(path)
        raise


def remove_partial(folder: Path) -> None:
    """Remove what writers that were killed have left; call it where no other writer can be at work."""
    for path in folder.glob(f".*{PARTIAL}"):
        path.unlink(missing_ok=True)
