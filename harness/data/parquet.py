"""Rows of Parquet tables, as the hub serves them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import DataError, MissingDependency


def read_parquet(path: Path, batch: int = 1024) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, a batch of them in memory at a time."""
    try:
        # optional: only files of the hub need it
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingDependency(f"reading {path} needs pyarrow", hint="pip install pyarrow") from error
    number = 0
    try:
        for rows in parquet.ParquetFile(path).iter_batches(batch):
            for row in rows.to_pylist():
                number += 1
                yield row
    except (OSError, ArrowException) as error:
        where = f"past row {number}" if number else "as a Parquet table"
        raise DataError(f"{path} cannot be read {where}: {error}") from error
