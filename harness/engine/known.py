"""What is known of files without reading them again: digests, kept as long as the files look the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.api.errors import DataError
from harness.files.digests import folder_digest
from harness.files.json_files import digest, read_json, write_json

NAME = ".known.json"
MOST = 4096  # entries; the oldest go first


class Known:
    """Digests that a folder of runs remembers; losing the file costs time and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._facts: dict[str, str] = {}
        with suppress(DataError, OSError, TypeError, ValueError):  # damaged, it is begun anew
            read = read_json(self._path) if self._path.exists() else {}
            self._facts = (
                {str(key): str(value) for key, value in read.items()} if isinstance(read, dict) else {}
            )

    def get(self, key: Any, work: Callable[[], str]) -> str:
        """Return what `work` gave for a key before, or do it now."""
        name = digest(key)
        if name not in self._facts:
            self._facts[name] = work()
            self._write()
        return self._facts[name]

    def content(self, path: str) -> str:
        """Return a digest of a file or folder, and the name itself of what is not on this machine."""
        place = Path(path)
        if not path or not place.exists():
            return path
        return self.get(["content", looks(place)], lambda: folder_digest(place))

    def _write(self) -> None:
        for old in list(self._facts)[:-MOST]:
            del self._facts[old]
        if not self._path.parent.is_dir():  # a plan makes no folder
            return
        with suppress(OSError):  # one that cannot be written refuses the run itself, with a sentence
            write_json(self._path, self._facts, sort=False)


def named_files(options: Mapping[str, Any]) -> list[list[list[Any]]]:
    """Return how the files look that options name: alone, for a retriever (`kept:FILE`), in a sum of such."""
    parts = [part for value in options.values() if isinstance(value, str) for part in value.split("+")]
    places = [name for part in parts for name in (part, part.partition(":")[2]) if name]
    return [looks(Path(name)) for name in places if Path(name).exists()]


def looks(place: Path) -> list[list[Any]]:
    """Return name, size, times and number of every file of a folder: another file looks different."""
    return [
        [name, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
        for name, state in sorted(_files(place.resolve()))
    ]


def _files(place: Path) -> Iterator[tuple[str, os.stat_result]]:
    if not place.is_dir():
        yield str(place), place.stat()
        return
    for folder, _, names in os.walk(place):
        for name in names:
            file = Path(folder, name)
            with suppress(FileNotFoundError):  # a link to nowhere
                yield str(file), file.stat()
