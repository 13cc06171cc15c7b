"""Embeddings kept on disk, keyed by what they are of: a text is embedded once, however often it is asked."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.api import DataError

Vectors = NDArray[np.float32]
_AT_ONCE = 500  # keys in one question to the database
CHECK = 4  # bytes before each vector that it is held to


def cache_folder() -> Path:
    """Return where embeddings are kept: under HARNESS_CACHE, or in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("HARNESS_CACHE") or Path(home) / "assay") / "embeddings"


class EmbeddingCache:
    """The vectors of one encoder, in a database file of its name; several programs may share it."""

    def __init__(self, encoder: str, folder: Path | None = None) -> None:
        folder = cache_folder() if folder is None else folder
        self.path = folder / f"{encoder}.sqlite"
        self.embedded = 0  # texts that had to be embedded
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as db, db:
                db.execute(
                    "create table if not exists vectors (key blob primary key, vector blob) without rowid"
                )
        except (OSError, sqlite3.Error) as error:
            raise DataError(
                f"embeddings cannot be kept in {self.path}: {error}",
                hint="HARNESS_CACHE names another folder; a damaged file may be deleted",
            ) from error

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)

    def get(
        self, texts: Sequence[str], embed: Callable[[Sequence[str]], Vectors], part: int = 512
    ) -> Vectors:
        """Return one vector a text; what is not known is embedded and kept, `part` texts at a time."""
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        with closing(self._open()) as db:
            known = _known(db, set(keys))
            missing = list(
                {key: text for key, text in zip(keys, texts, strict=True) if key not in known}.items()
            )
            missing.sort(key=lambda item: -len(item[1]))  # like lengths together, the longest first
            for start in range(0, len(missing), part):
                wanted = missing[start : start + part]
                vectors = np.ascontiguousarray(embed([text for _, text in wanted]), dtype=np.float32)
                rows = {key: vector.tobytes() for (key, _), vector in zip(wanted, vectors, strict=True)}
                with db:
                    kept = [(key, _check(vector) + vector) for key, vector in rows.items()]
                    db.executemany("insert or replace into vectors values (?, ?)", kept)
                known |= rows
                self.embedded += len(rows)
        return np.stack([np.frombuffer(known[key], dtype=np.float32) for key in keys])


def _known(db: sqlite3.Connection, keys: set[bytes]) -> dict[bytes, bytes]:
    """Return the vectors of keys that are kept; a damaged one is not known."""
    found: dict[bytes, bytes] = {}
    asked: list[Any] = sorted(keys)
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        marks = ",".join("?" * len(some))
        for key, kept in db.execute(f"select key, vector from vectors where key in ({marks})", some):
            check, vector = kept[:CHECK], kept[CHECK:]
            if check == _check(vector):
                found[key] = vector
    return found


def _check(vector: bytes) -> bytes:
    return zlib.crc32(vector).to_bytes(CHECK)
