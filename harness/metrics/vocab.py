"""Finding vocabularies that are not ours to ship, by their content and never by their name alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness import DataError


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer's vocabulary file: what it is called, its digest, and where it usually lies."""

    title: str
    sha256: str
    file: str
    repository: str  # on the Hugging Face hub
    folder: str  # under a data folder


SCIBERT = Vocabulary(
    "SciBERT uncased vocabulary",
    "f0a650346e51ede8996710f79ba65d83fdb8da05b159f17037b74ba4e3a36c6f",
    "vocab.txt",
    "allenai/scibert_scivocab_uncased",
    "tokenizers/scibert_scivocab_uncased",
)
T5 = Vocabulary(
    "T5 sentencepiece model",
    "d60acb128cf7b7f2536e8f38a5b18a05535c9e14c7a355904270e15b0945ea86",
    "spiece.model",
    "google/t5-v1_1-base",
    "tokenizers/t5_v1_spiece",
)


def find(wanted: Vocabulary, given: Path | None) -> Path:
    """Return the file with the wanted digest: in `given`, in HARNESS_TEST_DATA, or in the hub's cache."""
    for path in _candidates(wanted, given):
        if path.is_file() and _digest(path, path.stat().st_mtime_ns) == wanted.sha256:
            return path
    raise DataError(f"{wanted.title} not found{_what_was_given(wanted, given)}", hint=_where_to_put(wanted))


def _candidates(wanted: Vocabulary, given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield from (given, given / wanted.file, given / wanted.folder / wanted.file)
    if data := os.environ.get("HARNESS_TEST_DATA"):
        yield Path(data) / wanted.folder / wanted.file
    yield from sorted(
        (_hub_cache() / f"models--{wanted.repository.replace('/', '--')}").glob(f"snapshots/*/{wanted.file}")
    )


def _hub_cache() -> Path:
    if cache_folder := os.environ.get("HF_HUB_CACHE"):
        return Path(cache_folder)
    return Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface") / "hub"


@cache
def _digest(path: Path, changed: int) -> str:
    """Return the digest of a file; `changed` makes the memory forget an older content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _what_was_given(wanted: Vocabulary, given: Path | None) -> str:
    if given is None:
        return ""
    if not given.exists():
        return f": {given} does not exist"
    file = given if given.is_file() else given / wanted.file
    if not file.is_file():
        return f": no {wanted.file} in {given}"
    return f": {file} has sha256 {_digest(file, file.stat().st_mtime_ns)}, expected {wanted.sha256}"


def _where_to_put(wanted: Vocabulary) -> str:
    return (
        f"take {wanted.file} of {wanted.repository} (sha256 {wanted.sha256[:12]}…) "
        f"and name it with --vocab PATH, "
        f"or put it at {wanted.folder}/{wanted.file} under HARNESS_TEST_DATA, "
        f"or have it in the hub cache"
    )
