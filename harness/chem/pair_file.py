"""Opens a file of molecule-caption pairs in whichever form it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from harness import DataError
from harness.data.text_lines import first_bytes, shown

from .objects import open_json, open_parquet
from .pcdes import open_pcdes
from .property_sets import open_combinations, open_property_sets
from .raw_row import PairFile
from .tables import open_csv, open_lines, open_table

_JSON_START = re.compile(rb"\s*(\{|\[\s*(\{|\]))")


def open_pairs(path: Path, named: Mapping[str, str] | None = None) -> PairFile:
    """Recognise the form of a file; a file in none of the known forms is a `DataError` that lists them.

    `named` gives the columns of roles that a file calls otherwise.
    """
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix == ".parquet":
        return open_parquet(path, named)
    start = first_bytes(path)
    if not start.strip():
        raise DataError(f"{path} is empty, expected molecule-caption pairs")
    if suffix in (".json", ".jsonl") or _JSON_START.match(start):
        return open_json(path, named)
    if suffix == ".csv":
        return open_csv(path, named)
    if (table := open_table(path, named)) is not None and named:
        return table
    for recognise in (open_property_sets, open_combinations, open_table, open_pcdes, open_lines):
        if (found := recognise(path)) is not None:
            return found
    raise DataError(
        f"{path}: expected molecule-caption pairs, found {shown(start.decode('utf-8', 'replace'))}",
        hint="forms: TSV or CSV with SMILES and description columns, JSON pairs, conversations or"
        " instructions, Parquet, one SMILES a line beside one caption a line",
    )
