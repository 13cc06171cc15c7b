"""Opens what strangers hand in, folder or zip, without trusting a name, a size or a link in it.

Nothing is ever unpacked to disk: a file is read into memory when it is asked for, up to limits that are
checked while reading, because the sizes that an archive states are its own claim.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from harness.api.errors import DataError

MAX_FILES = 64
MAX_BYTES = 512 * 2**20  # of all files that are read, unpacked
MAX_RATIO = 200  # unpacked to packed, of files above a mebibyte
MAX_DIRECTORY = 2**20  # bytes of a zip's list of files; 64 entries take a hundredth
_BLOCK = 2**20
# All that zipfile and its decompressors raise on broken bytes.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, NotImplementedError, RuntimeError, ValueError, IndexError, KeyError),
)
Opener = Callable[[], tuple[IO[bytes], int | None]]  # a stream, and its packed size where it is packed


def open_files(path: Path, limit: int = MAX_BYTES) -> Mapping[str, bytes]:
    """Return the files of a folder, a zip or a single file by name; `.gz` files are unpacked."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise DataError(f"there is nothing at {path}: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        return Files(path, _in_folder(path), limit)
    if not stat.S_ISREG(mode):  # a pipe would be waited for without end
        raise DataError(f"{path} is neither a file nor a folder", hint="write it to a file first")
    if _is_zip(path):
        return Files(path, _in_zip(path), limit)
    return Files(path, {path.name: _opener(path)}, limit)


class Files(Mapping[str, bytes]):
    """Files by name, each read when it is asked for, all together up to a limit."""

    def __init__(self, path: Path, members: Mapping[str, Opener], limit: int) -> None:
        self._path = path
        self._limit = self._left = limit
        self._members: dict[str, tuple[str, Opener]] = {}
        for name, opener in members.items():
            if self._members.setdefault(name.removesuffix(".gz"), (name, opener))[0] != name:
                raise DataError(f"{path} holds {name.removesuffix('.gz')!r} packed and unpacked")

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, name: str) -> bytes:
        member, opener = self._members[name]
        where = f"{self._path}" if member == self._path.name else f"{self._path}: {member!r}"
        try:
            stream, packed = opener()
            with stream:
                data = self._read(stream, where, packed)
            if member.endswith(".gz"):
                with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
                    data = self._read(cast("IO[bytes]", unpacked), where, len(data))
        except UNREADABLE as error:
            raise DataError(f"{where} cannot be read: {error or type(error).__name__}") from error
        return data

    def _read(self, file: IO[bytes], where: str, packed: int | None) -> bytes:
        """Read a stream to its end; one that blows up beyond its packed size is cut off early."""
        data = bytearray()
        while block := file.read(_BLOCK):
            data += block
            self._left -= len(block)
            if self._left < 0:
                raise DataError(f"{where} is larger than {self._limit // 2**20} MiB unpacked")
            if packed is not None and len(data) > _BLOCK and len(data) > MAX_RATIO * max(packed, 1):
                raise DataError(
                    f"{where} unpacks to more than {MAX_RATIO} times its size: it looks like a bomb"
                )
        return bytes(data)


def _in_folder(path: Path) -> dict[str, Opener]:
    found: dict[str, Opener] = {}
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                raise DataError(
                    f"{path} holds a link: {entry.name!r}", hint="a submission holds its own files"
                )
            if entry.is_file():
                found[entry.name] = _opener(path / entry.name)
            if len(found) > MAX_FILES:
                raise DataError(f"{path} holds more than {MAX_FILES} files", hint="it takes two")
    return dict(sorted(found.items()))


def _opener(path: Path) -> Opener:
    return lambda: (path.open("rb"), None)


def _is_zip(path: Path) -> bool:
    """Tell whether a file ends as a zip does, and refuse one whose list of files is endless."""
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            return False
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2**16 - 42))
        end = file.read()
    at = end.rfind(b"PK\5\6")
    is_zip64 = end[max(0, at - 20) : at].startswith(b"PK\6\7")
    if is_zip64 or int.from_bytes(end[at + 12 : at + 16], "little") > MAX_DIRECTORY:
        raise DataError(f"{path} lists more files than the {MAX_FILES} that are taken")
    return True


def _in_zip(path: Path) -> dict[str, Opener]:
    found: dict[str, Opener] = {}
    with _opened(path) as archive:
        members = [info for info in archive.infolist() if not _is_clutter(info)]
        if len(members) > MAX_FILES:
            raise DataError(f"{path} holds {len(members)} files, at most {MAX_FILES} are taken")
        for info in members:
            name = _checked_name(path, info)
            if name in found:
                raise DataError(f"{path} holds two files named {name!r}")
            found[name] = _member(path, info)
    return found


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except UNREADABLE as error:
        raise DataError(f"{path} is not a zip that can be read: {error}") from error


def _member(path: Path, info: zipfile.ZipInfo) -> Opener:
    # Closing the archive leaves the file open until its last member is closed.
    def opened() -> tuple[IO[bytes], int]:
        with zipfile.ZipFile(path) as archive:
            return archive.open(info), info.compress_size

    return opened


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


def packed(data: bytes) -> bytes:
    """Return data as gzip; the same data always gives the same bytes."""
    whole = io.BytesIO()
    with gzip.GzipFile(fileobj=whole, mode="wb", mtime=0, filename="") as file:
        file.write(data)
    return whole.getvalue()
