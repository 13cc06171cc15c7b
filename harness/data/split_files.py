"""Which file of a folder holds which split, by the names that published sets use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from harness import DataError

WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "eval", "evaluation"),
}
_SUFFIXES = {".txt", ".tsv", ".csv", ".json", ".jsonl", ".parquet", ".smi", ".smiles"}
_SHARD = re.compile(r"-\d{5}-of-\d{5}")


def split_of(name: str) -> tuple[str, str] | None:
    """Return the split that a file's name names, and the word that names it."""
    parts = re.split(r"[^a-z]+", name.lower())
    for split, words in WORDS.items():
        if word := next((word for word in words if word in parts), None):
            return split, word
    return None


def files_of(source: Path, split: str) -> list[Path]:
    """Return the files that hold a split: none, one, shards of one, or an aligned pair of line files.

    A file given by name stands for its family: its other splits are its siblings with the split's word
    in place of its own. A file without a split's word in its name may hold any split.
    """
    if source.is_file():
        named = split_of(source.name)
        if named is None or named[0] == split:
            return [source]
        spelt = re.compile(rf"(?<![A-Za-z]){named[1]}(?![A-Za-z])", re.IGNORECASE)
        names = [spelt.sub(word, source.name) for word in WORDS.get(split, (split,))]
        return [path for name in names if (path := source.with_name(name)).is_file()][:1]
    candidates = _data_files(source)
    found = [path for path in candidates if (named := split_of(path.name)) and named[0] == split]
    if not found and len(candidates) == 1 and split_of(candidates[0].name) is None:
        return candidates
    return found


def _data_files(folder: Path) -> list[Path]:
    """List the data files of a folder, or of its `data` folder as hub snapshots have it."""
    try:
        found = sorted(path for path in folder.iterdir() if path.is_file() and is_data(path))
        if not found and (folder / "data").is_dir():
            return _data_files(folder / "data")
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    return found


def is_data(path: Path) -> bool:
    """Tell by its name whether a file may hold rows."""
    if path.name.startswith(".") or path.stem.lower() in ("readme", "license", "licence", "notice"):
        return False
    return (path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix).lower() in _SUFFIXES


def are_shards(paths: Sequence[Path]) -> bool:
    """Tell whether files are the numbered parts of one table."""
    return len({_SHARD.sub("", path.name) for path in paths}) == 1 and all(
        _SHARD.search(path.name) for path in paths
    )
