"""What a file holds, as a short text."""

from __future__ import annotations

from pathlib import Path

BLOCK = 1 << 20


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    import hashlib  # here and below, because it loads OpenSSL, and what is only shown is not hashed

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(path: Path) -> str:
    """Hash the names and bytes of all files of a folder, or of one file, as of a checkpoint."""
    import hashlib

    total = hashlib.sha256()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        total.update(file.name.encode())
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                total.update(block)
    return total.hexdigest()[:16]
