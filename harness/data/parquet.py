"""Rows of Parquet tables, as the hub serves them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from harness import DataError, MissingDependency


def read_parquet(
    path: Path | IO[bytes], batch: int = 1024, columns: Sequence[str] | None = None, *, name: str = ""
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, of these columns or of all, a batch of them in memory at a time.

    What is read from memory has a `name` for messages.
    """
    with _opened(path, name or str(path)) as table:
        for rows in table.iter_batches(batch, columns=columns):
            yield from rows.to_pylist()


def parquet_columns(path: Path) -> list[str]:
    """Return the names of a table's columns."""
    with _opened(path, str(path)) as table:
        return list(table.schema_arrow.names)


@contextmanager
def _opened(path: Path | IO[bytes], name: str) -> Iterator[Any]:
    """Open a table; what is wrong with it, there or further on, is a `DataError`."""
    try:
        # optional: only some files of the hub need it
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingDependency(f"reading {name} needs pyarrow", hint="pip install pyarrow") from error
    try:
        yield parquet.ParquetFile(path)
    except (OSError, ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{name} is no readable Parquet table: {error}") from error
