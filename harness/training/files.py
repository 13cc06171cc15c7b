"""Folders that are whole or absent: written aside, synced, listed with digests, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.api import DataError, StageError

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
    partial.mkdir(parents=True)
    return partial


def publish(partial: Path, path: Path) -> None:
    """Sync what was written, list it with its digests, and give it its name."""
    if path.exists():
        for old in path.iterdir():
            if old.name != MANIFEST and not (partial / old.name).exists():
                shutil.move(old, partial / old.name)
    manifest = {str(f.relative_to(partial)): _synced_digest(f) for f in sorted(_files(partial))}
    with (partial / MANIFEST).open("w", encoding="utf-8") as out:
        json.dump(manifest, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    _sync_folder(partial)
    if path.exists():
        shutil.rmtree(path)
    partial.rename(path)
    _sync_folder(path.parent)


def verify(path: Path) -> None:
    """Compare every file of a folder with its manifest."""
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as damage:
        raise DataError(
            f"{path} has no readable {MANIFEST}", hint="it was not written to its end"
        ) from damage
    for name, digest in manifest.items():
        file = path / name
        if not file.is_file():
            raise DataError(f"{path} lacks {name}", hint="restore the file or remove the folder")
        if _digest(file) != digest:
            raise DataError(f"{file} is not what was written", hint="restore the file or remove the folder")


def partial_of(path: Path) -> Path:
    """Return where a folder is written before it is whole."""
    return path.with_name(path.name + ".partial")


def write_json(path: Path, facts: object) -> None:
    """Write a JSON file that is whole or absent."""
    partial = partial_of(path)
    with partial.open("w", encoding="utf-8") as out:
        json.dump(facts, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)
    _sync_folder(path.parent)


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


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _synced_digest(file: Path) -> str:
    with file.open("rb") as content:
        os.fsync(content.fileno())
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
