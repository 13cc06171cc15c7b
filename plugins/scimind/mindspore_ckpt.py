"""MindSpore `.ckpt` files, read and written in bounded memory, without MindSpore.

A file is a protobuf `Checkpoint`: a row of values, each with a name and either a tensor (dims, type, raw
little-endian bytes) or a map tensor. A large tensor spans several values of the same name. The reader
first notes where everything lies, seeking over the bytes, and then reads one tensor at a time.

What is trusted of a file: nothing. Every length is held against what is left of the file before it is
used, and a tensor is only allocated once its bytes are known to be there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from harness import DataError
from harness.files.writing import writing

TYPES: Mapping[str, torch.dtype] = {
    "Float64": torch.float64,
    "Float32": torch.float32,
    "Float16": torch.float16,
    "BFloat16": torch.bfloat16,
    "Int64": torch.int64,
    "Int32": torch.int32,
    "Int16": torch.int16,
    "Int8": torch.int8,
    "UInt8": torch.uint8,
    "Bool": torch.bool,
}
TYPE_NAMES = {dtype: name for name, dtype in TYPES.items()}
MAX_VALUES = 1_000_000
MAX_NAME = 4096
MAX_DIMS = 16
SLICE_BYTES = 512 * 2**20
CRC_TRAILER = b"crc_num"  # some writers append this and ten bytes, outside the protobuf

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(slots=True)
class StoredTensor:
    """A tensor in a file: what it is, and where its bytes lie."""

    name: str
    dims: tuple[int, ...]
    type_name: str
    parts: list[tuple[int, int]] = field(default_factory=list)  # (offset, length) in order

    @property
    def dtype(self) -> torch.dtype:
        """The torch type of the elements."""
        return TYPES[self.type_name]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape; MindSpore writes a scalar as dims [0] with one element."""
        return () if self.dims == (0,) and self.stored_bytes else self.dims

    @property
    def stored_bytes(self) -> int:
        """How many bytes the file holds of it."""
        return sum(length for _, length in self.parts)

    @property
    def wanted_bytes(self) -> int:
        """How many bytes its shape asks for."""
        return math.prod(self.shape) * self.dtype.itemsize


class CheckpointReader:
    """An open `.ckpt`: `tensors` lists what it holds, `read` loads one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
        self._size = path.stat().st_size
        try:
            self.tensors = self._index()
        except DataError:
            self.close()
            raise

    def __enter__(self) -> CheckpointReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, name: str) -> Tensor:
        """Load one tensor; nothing else is held in memory."""
        stored = self.tensors[name]
        flat = torch.empty(stored.wanted_bytes, dtype=torch.uint8)
        filled = 0
        view = memoryview(flat.numpy().data)
        for offset, length in stored.parts:
            self._file.seek(offset)
            if self._file.readinto(view[filled : filled + length]) != length:  # type: ignore[attr-defined]
                raise self._broken(offset, f"the bytes of '{name}' end early")
            filled += length
        return flat.view(stored.dtype).reshape(stored.shape)

    def _index(self) -> dict[str, StoredTensor]:
        found: dict[str, StoredTensor] = {}
        position, values, last = 0, 0, ""
        while position < self._size:
            if self._is_trailer(position):
                break
            field_number, wire, position = self._tag(position, self._size)
            if (field_number, wire) != (1, _BYTES):
                raise self._broken(position, "this is no MindSpore checkpoint")
            start, stop = self._chunk(position, self._size)
            values += 1
            if values > MAX_VALUES:
                raise self._broken(position, f"it lists more than {MAX_VALUES} values")
            part = self._value(start, stop)
            known = found.get(part.name)
            if known is None:
                found[part.name] = part
            elif last != part.name or (known.dims, known.type_name) != (part.dims, part.type_name):
                raise self._broken(start, f"'{part.name}' occurs twice and the parts do not belong together")
            else:
                known.parts += part.parts
            last, position = part.name, stop
        for stored in found.values():
            if stored.stored_bytes != stored.wanted_bytes:
                raise DataError(
                    f"{self.path}: '{stored.name}' of shape {list(stored.shape)} and type {stored.type_name} "
                    f"needs {stored.wanted_bytes} bytes, the file has {stored.stored_bytes}"
                )
        if not found:
            raise DataError(f"{self.path} holds no tensors")
        return found

    def _is_trailer(self, position: int) -> bool:
        if self._size - position != len(CRC_TRAILER) + 10:
            return False
        self._file.seek(position)
        return self._file.read(len(CRC_TRAILER)) == CRC_TRAILER

    def _value(self, position: int, stop: int) -> StoredTensor:
        name, part = "", None
        while position < stop:
            number, wire, position = self._tag(position, stop)
            if (number, wire) == (1, _BYTES):
                name, position = self._text(position, stop)
            elif (number, wire) == (2, _BYTES):
                start, position = self._chunk(position, stop)
                part = self._tensor(start, position)
            elif number == 3:
                raise self._broken(position, f"'{name}' is a map tensor, which only embeddings caches use")
            else:
                position = self._skip(position, stop, wire)
        if not name or part is None:
            raise self._broken(position, "a value has no name or no tensor")
        part.name = name
        return part

    def _tensor(self, position: int, stop: int) -> StoredTensor:
        dims: list[int] = []
        type_name, parts = "", []
        while position < stop:
            number, wire, position = self._tag(position, stop)
            if (number, wire) == (1, _VARINT):
                dim, position = self._varint(position, stop)
                dims.append(dim)
            elif (number, wire) == (1, _BYTES):
                start, position = self._chunk(position, stop)
                while start < position and len(dims) <= MAX_DIMS:
                    dim, start = self._varint(start, position)
                    dims.append(dim)
            elif (number, wire) == (2, _BYTES):
                type_name, position = self._text(position, stop)
            elif (number, wire) == (3, _BYTES):
                start, position = self._chunk(position, stop)
                parts.append((start, position - start))
            else:
                position = self._skip(position, stop, wire)
            if len(dims) > MAX_DIMS or len(parts) > 1:
                raise self._broken(position, "a tensor has too many dimensions or contents")
        if type_name not in TYPES:
            raise self._broken(position, f"a tensor has the unknown type '{type_name}'")
        if any(dim >= 2**63 for dim in dims):
            raise self._broken(position, "a tensor has a negative dimension")
        return StoredTensor("", tuple(dims), type_name, parts)

    def _tag(self, position: int, stop: int) -> tuple[int, int, int]:
        key, position = self._varint(position, stop)
        return key >> 3, key & 7, position

    def _varint(self, position: int, stop: int) -> tuple[int, int]:
        self._file.seek(position)
        result = 0
        for index, byte in enumerate(self._file.read(min(10, stop - position))):
            result |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return result & (2**64 - 1), position + index + 1
        raise self._broken(position, "a number is not terminated")

    def _chunk(self, position: int, stop: int) -> tuple[int, int]:
        length, start = self._varint(position, stop)
        if length > stop - start:
            raise self._broken(position, f"{length} bytes are announced where {stop - start} are left")
        return start, start + length

    def _text(self, position: int, stop: int) -> tuple[str, int]:
        start, end = self._chunk(position, stop)
        if end - start > MAX_NAME:
            raise self._broken(position, f"a name has {end - start} bytes")
        self._file.seek(start)
        try:
            return self._file.read(end - start).decode("utf-8"), end
        except UnicodeDecodeError as error:
            raise self._broken(position, "a name is not UTF-8") from error

    def _skip(self, position: int, stop: int, wire: int) -> int:
        if wire == _VARINT:
            return self._varint(position, stop)[1]
        if wire == _BYTES:
            return self._chunk(position, stop)[1]
        width = {_FIXED64: 8, _FIXED32: 4}.get(wire)
        if width is None or width > stop - position:
            raise self._broken(position, "this is no MindSpore checkpoint")
        return position + width

    def _broken(self, position: int, what: str) -> DataError:
        return DataError(
            f"{self.path}, byte {position}: {what}",
            hint="the file is truncated, encrypted or no MindSpore .ckpt; download it again",
        )


def write_checkpoint(
    path: Path, tensors: Iterable[tuple[str, Tensor]], *, slice_bytes: int = SLICE_BYTES
) -> None:
    """Write tensors one after the other, large ones in slices; the file appears when it is whole."""
    with writing(path) as file:
        for name, tensor in tensors:
            _write_tensor(file, name, tensor, slice_bytes)


def _write_tensor(file: BinaryIO, name: str, tensor: Tensor, slice_bytes: int) -> None:
    if tensor.dtype not in TYPE_NAMES:
        raise DataError(f"'{name}' has type {tensor.dtype}, which MindSpore checkpoints do not know")
    dims = list(tensor.shape) or [0]
    head = b"".join(b"\x08" + _encoded(dim) for dim in dims) + _field(2, TYPE_NAMES[tensor.dtype].encode())
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    for start in range(0, max(len(flat), 1), slice_bytes):
        content = flat[start : start + slice_bytes].data
        tensor_head = head + b"\x1a" + _encoded(len(content))
        value_head = (
            _field(1, name.encode()) + b"\x12" + _encoded(len(tensor_head) + len(content)) + tensor_head
        )
        file.write(b"\x0a" + _encoded(len(value_head) + len(content)) + value_head)
        file.write(content)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _encoded(len(content)) + content


def _encoded(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
