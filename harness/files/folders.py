"""Folders that are whole or absent: written aside, synced, listed with digests, then renamed."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.api import DataError, StageError

from .digests import file_digest
from .json_files import read_json, write_json
from .writing import PARTIAL, make_folder, sync, sync_all

MANIFEST = "manifest.json"


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a folder to write into; it appears under `path` only when all of it is on disk.

    A folder that was there is replaced; files that only the old one had, such as a tokenizer saved
    by a plugin, are kept.
    """
    partial = prepare(path)
    try:
        yield partial
        publish(partial, path)
    except OSError as failure:
        raise failed_write(failure, path) from failure


def prepare(path: Path) -> Path:
    """Make the folder beside `path` in which its files are written."""
    partial = partial_of(path)
    shutil.rmtree(partial, ignore_errors=True)
    make_folder(partial)
    return partial


def publish(partial: Path, path: Path) -> None:
    """Sync what was written, list it with its digests, and give it its name."""
    if path.exists():
        for old in path.iterdir():
            if old.name != MANIFEST and not (partial / old.name).exists():
                shutil.move(old, partial / old.name)
    sync_all(partial)
    write_json(
        partial / MANIFEST, {str(f.relative_to(partial)): file_digest(f) for f in sorted(_files(partial))}
    )
    if path.exists():
        shutil.rmtree(path)
    partial.rename(path)
    sync(path.parent)


def verify(path: Path) -> None:
    """Compare every file of a folder with its manifest."""
    try:
        manifest = read_json(path / MANIFEST)
    except DataError as damage:
        raise DataError(
            f"{path} has no readable {MANIFEST}", hint="it was not written to its end"
        ) from damage
    for name, digest in manifest.items():
        file = path / name
        if not file.is_file():
            raise DataError(f"{path} lacks {name}", hint="restore the file or remove the folder")
        if file_digest(file) != digest:
            raise DataError(f"{file} is not what was written", hint="restore the file or remove the folder")


def partial_of(path: Path) -> Path:
    """Return where a folder is written before it is whole."""
    return path.with_name(path.name + PARTIAL)


def failed_write(failure: Exception, path: Path) -> Exception:
    """Drop what was written and turn a failed write into the sentence a user needs."""
    full = isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT)
    # torch reports a full disk only as a zip writer that could not go on.
    full = full or (isinstance(failure, RuntimeError) and "PytorchStreamWriter" in str(failure))
    if not full and not isinstance(failure, OSError):
        return failure
    shutil.rmtree(partial_of(path), ignore_errors=True)
    if full:
        return StageError(
            f"no room left to write {path}", hint="free space; the same command continues from the last state"
        )
    return StageError(f"cannot write {path}: {failure}", hint="check the folder's permissions")


def _files(folder: Path) -> Iterator[Path]:
    return (f for f in folder.rglob("*") if f.is_file() and f.name != MANIFEST)
