"""The files of a run: where they are, how they are written so that a kill at any moment loses nothing.

runs/trained/<model>/<stamp>-<key>/     one training, shared by every run that asks for the same one
    spec.json  events.jsonl  log.txt  train_log.jsonl  checkpoint/
    checkpoint.json                     <- presence = this stage is done
runs/<task>/<model>/<stamp>-<key>/
    spec.json  events.jsonl  log.txt
    completions.jsonl                   <- one row a request, append-only
    predictions.jsonl  scores.json
    record.json                         <- presence = the run is done
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from harness.api.errors import DataError, RunLocked, UsageError
from harness.files.rows import read_rows
from harness.files.writing import make_folder, remove_partial, sync

SPEC, CHECKPOINT = "spec.json", "checkpoint.json"
HELD = "is already working on this run"  # what is said of a run that another process writes to
EVENTS, LOG = "events.jsonl", "log.txt"
ROOM_MIB = 64  # less free space than this is refused before any work


def training_of(path: Path) -> Path | None:
    """Return the training directory that a path names, itself or by its weights, finished or not."""
    for place in (path, path.parent):
        if (place / CHECKPOINT).exists():
            return place
    return path if (path / SPEC).exists() else None


@contextmanager
def locked(parent: Path, key: str) -> Iterator[None]:
    """Hold the right to write the run `key`; a second process is refused and told who holds it."""
    make_folder(parent)
    path = parent / f".{key}.lock"
    with path.open("a+", encoding="utf-8") as file:
        os.set_inheritable(file.fileno(), True)  # a launcher that outlives us still holds the run
        patience = time.monotonic() + 20
        while not _lock(file):
            file.seek(0)
            holder = file.read().strip()
            killed = holder.isdigit() and not is_alive(int(holder))  # its workers end within a second
            if killed and time.monotonic() < patience:
                time.sleep(0.2)
                continue
            raise RunLocked(
                f"process {holder or 'unknown'} {HELD} ({parent}, {key})",
                hint="wait for it, or stop it; the same command then continues where it stopped",
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield  # the file stays: removing it would let a third process lock a new one beside a waiting second


def _lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_alive(process: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def open_directory(parent: Path, key: str, *, fresh: bool, resume: bool = False) -> Path:
    """Return the newest directory of the run `key`, or a new one; with `resume` there must be one."""
    found = newest(parent, key)
    if found is not None and not fresh:
        remove_partial(found)
        return found
    if resume:
        raise UsageError(
            f"there is no run of this command to resume in {parent}",
            hint="a changed option, data or plugin is another run; leave out --resume to begin it",
        )
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    directory = parent / f"{stamp}-{key}"
    for attempt in range(1, 100):
        try:
            directory.mkdir(parents=True)
            sync(parent)
            return directory
        except FileExistsError:  # two fresh runs within one second
            directory = parent / f"{stamp}.{attempt:02d}-{key}"
    raise DataError(f"{parent} already holds a hundred runs of this second")


def newest(parent: Path, key: str) -> Path | None:
    """Return the newest directory of the run `key`, if there is one."""
    return max((path for path in parent.glob(f"*-{key}") if path.is_dir()), default=None)


def check_output(output: Path) -> None:
    """Refuse an output folder that cannot be written or has no room, before any work is done."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        probe = output / f".probe-{os.getpid()}"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"results cannot be written to {output}: {error.strerror}",
            hint="choose another with --output DIR",
        ) from error
    free = shutil.disk_usage(output).free // 2**20
    if free < ROOM_MIB:
        raise UsageError(
            f"{output} has {free} MiB free, a run needs at least {ROOM_MIB}",
            hint="choose another with --output DIR",
        )


def noted(directory: Path) -> list[str]:
    """Return the notes that a stage left for the readers of its numbers, each once."""
    texts = [str(row["text"]) for row in read_rows(directory / EVENTS) if row.get("event") == "note"]
    return list(dict.fromkeys(texts))
