"""What a file holds, as a short text: the full digest, and a fast one that still sees a flipped bit."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

BLOCK = 1 << 20


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(path: Path) -> str:
    """Hash the names and bytes of all files of a folder, or of one file, as of a checkpoint."""
    total = hashlib.sha256()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        total.update(file.name.encode())
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                total.update(block)
    return total.hexdigest()[:16]


def quick_digest(path: Path) -> str:
    """Return a file's size and CRC-32: damage shows, for a fraction of the time; forgery does not."""
    crc, size = 0, 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            crc = zlib.crc32(block, crc)
            size += len(block)
    return f"{size}-{crc:08x}"
