"""Opens what strangers hand in, folder or zip, without trusting a name, a size or a link in it.

Nothing is ever unpacked to disk: files are read into memory, each and all together up to a limit that is
checked while reading, because the sizes that an archive states are its own claim.
"""

from __future__ import annotations

import gzip
import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from harness.api.errors import DataError

MAX_FILES = 64
MAX_BYTES = 512 * 2**20  # of all files together, unpacked
MAX_RATIO = 200  # unpacked to packed, of files above a mebibyte
_BLOCK = 2**20
# All that zipfile and its decompressors raise on broken bytes.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, NotImplementedError, RuntimeError, ValueError, IndexError),
)


class Budget:
    """What may still be unpacked of one thing that was handed in."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit

    def read(self, file: IO[bytes] | gzip.GzipFile, name: str, packed: int | None = None) -> bytes:
        """Read a stream to its end; one that blows up beyond its packed size is cut off early."""
        data = bytearray()
        with file:
            while block := file.read(_BLOCK):
                data += block
                self._left -= len(block)
                if self._left < 0:
                    raise DataError(f"{name} is larger than {self._limit // 2**20} MiB unpacked")
                if packed is not None and len(data) > _BLOCK and len(data) > MAX_RATIO * max(packed, 1):
                    raise DataError(
                        f"{name} unpacks to more than {MAX_RATIO} times its size: it looks like a bomb"
                    )
        return bytes(data)


def open_files(path: Path, limit: int = MAX_BYTES) -> Mapping[str, bytes]:
    """Return the files of a folder, a zip or a single file by name; `.gz` files are unpacked."""
    budget = Budget(limit)
    try:
        if path.is_dir():
            files = _from_folder(path, budget)
        elif not path.exists():
            raise DataError(f"there is nothing at {path}")
        elif not path.is_file():  # a pipe would be waited for, a device never ends
            raise DataError(f"{path} is neither a file nor a folder")
        elif zipfile.is_zipfile(path):
            files = _from_zip(path, budget)
        else:
            files = {path.name: budget.read(path.open("rb"), path.name)}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    return {name.removesuffix(".gz"): _unzipped(name, data, budget) for name, data in files.items()}


def _from_folder(path: Path, budget: Budget) -> dict[str, bytes]:
    found = {}
    for file in sorted(path.iterdir()):
        if file.name.startswith("."):
            continue
        if file.is_symlink():
            raise DataError(f"{file} is a link", hint="a submission holds its own files")
        if file.is_file():
            found[file.name] = budget.read(file.open("rb"), str(file))
        if len(found) > MAX_FILES:
            raise DataError(f"{path} holds more than {MAX_FILES} files", hint="it takes two")
    return found


def _from_zip(path: Path, budget: Budget) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not _is_clutter(info)]
            if len(members) > MAX_FILES:
                raise DataError(f"{path} holds {len(members)} files, at most {MAX_FILES} are taken")
            found: dict[str, bytes] = {}
            for info in members:
                name = _checked_name(path, info)
                if name in found:
                    raise DataError(f"{path} holds two files named {name!r}")
                with archive.open(info) as file:
                    found[name] = budget.read(file, f"{path}: {name}", packed=info.compress_size)
    except UNREADABLE as error:
        raise DataError(f"{path} is not a zip that can be read: {error}") from error
    return found


def _is_clutter(info: zipfile.ZipInfo) -> bool:
    """Whether a member is a folder or what macOS adds."""
    parts = PurePosixPath(info.filename).parts
    return info.filename.endswith("/") or "__MACOSX" in parts or (bool(parts) and parts[-1] == ".DS_Store")


def _checked_name(path: Path, info: zipfile.ZipInfo) -> str:
    name = PurePosixPath(info.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in info.filename or ":" in info.filename:
        raise DataError(f"{path} holds a file that points outside it: {info.filename!r}")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise DataError(f"{path} holds a link: {info.filename!r}", hint="a submission holds its own files")
    if info.flag_bits & 1:
        raise DataError(f"{path} is encrypted")
    return name.name


def _unzipped(name: str, data: bytes, budget: Budget) -> bytes:
    if not name.endswith(".gz"):
        return data
    try:
        return budget.read(gzip.GzipFile(fileobj=io.BytesIO(data)), name, packed=len(data))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is not a gzip file that can be read: {error}") from error


def packed(data: bytes) -> bytes:
    """Return data as gzip; the same data always gives the same bytes."""
    whole = io.BytesIO()
    with gzip.GzipFile(fileobj=whole, mode="wb", mtime=0, filename="") as file:
        file.write(data)
    return whole.getvalue()
