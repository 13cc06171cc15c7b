"""Opens what strangers hand in, folder or zip, without trusting a name, a size or a link in it.

Nothing is ever unpacked to disk: the few files that are looked for are read into memory, each up to a
limit that is checked while reading, because the sizes that an archive states are its own claim.
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

from harness import DataError

MAX_FILES = 64
MAX_BYTES = 512 * 2**20  # of one file, unpacked
MAX_RATIO = 200  # unpacked to packed, of files above a mebibyte
_BLOCK = 2**20
# All that zipfile and its decompressors raise on broken bytes.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, NotImplementedError, RuntimeError, ValueError, IndexError),
)


def open_files(path: Path, limit: int = MAX_BYTES) -> Mapping[str, bytes]:
    """Return the files of a folder, a zip or a single file by name; `.gz` files are unpacked."""
    if path.is_dir():
        files = _from_folder(path, limit)
    elif zipfile.is_zipfile(path):
        files = _from_zip(path, limit)
    elif path.is_file():
        files = {path.name: _bounded(path.open("rb"), path.name, limit)}
    else:
        raise DataError(f"there is no submission at {path}")
    return {name.removesuffix(".gz"): _unzipped(name, data, limit) for name, data in files.items()}


def _from_folder(path: Path, limit: int) -> dict[str, bytes]:
    found = {}
    for file in sorted(path.iterdir()):
        if file.name.startswith("."):
            continue
        if file.is_symlink():
            raise DataError(f"{file} is a link", hint="a submission holds its own files")
        if file.is_file():
            found[file.name] = _bounded(file.open("rb"), str(file), limit)
        if len(found) > MAX_FILES:
            raise DataError(f"{path} holds more than {MAX_FILES} files", hint="it takes two")
    return found


def _from_zip(path: Path, limit: int) -> dict[str, bytes]:
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
                    found[name] = _bounded(file, f"{path}: {name}", limit, packed=info.compress_size)
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


def _bounded(file: IO[bytes] | gzip.GzipFile, name: str, limit: int, packed: int | None = None) -> bytes:
    """Read a stream up to the limit; one that blows up beyond its packed size is cut off early."""
    data = bytearray()
    with file:
        while block := file.read(_BLOCK):
            data += block
            if len(data) > limit:
                raise DataError(f"{name} is larger than {limit // 2**20} MiB unpacked")
            if packed is not None and len(data) > _BLOCK and len(data) > MAX_RATIO * max(packed, 1):
                raise DataError(
                    f"{name} unpacks to more than {MAX_RATIO} times its size: it looks like a bomb"
                )
    return bytes(data)


def _unzipped(name: str, data: bytes, limit: int) -> bytes:
    if not name.endswith(".gz"):
        return data
    try:
        return _bounded(gzip.GzipFile(fileobj=io.BytesIO(data)), name, limit, packed=len(data))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is not a gzip file that can be read: {error}") from error


def packed(data: bytes) -> bytes:
    """Return data as gzip; the same data always gives the same bytes."""
    whole = io.BytesIO()
    with gzip.GzipFile(fileobj=whole, mode="wb", mtime=0, filename="") as file:
        file.write(data)
    return whole.getvalue()
