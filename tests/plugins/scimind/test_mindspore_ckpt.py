"""MindSpore checkpoints: written by protobuf's own encoder, read by ours, and the other way round."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import DataError
from harness.plugins.scimind.mindspore_ckpt import CheckpointReader, write_checkpoint


def message_classes() -> dict[str, Any]:
    """Build the published layout with protobuf itself, as an independent reader and writer."""
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="assay_test.proto", package="assay_test", syntax="proto2")

    def message(name: str, *fields: tuple[str, int, int, bool, str]) -> None:
        added = file.message_type.add(name=name)
        for field_name, number, type_, repeated, type_name in fields:
            label = kind.LABEL_REPEATED if repeated else kind.LABEL_OPTIONAL
            field = added.field.add(name=field_name, number=number, type=type_, label=label)
            if type_name:
                field.type_name = f".assay_test.{type_name}"

    message(
        "TensorProto",
        ("dims", 1, kind.TYPE_INT64, True, ""),
        ("tensor_type", 2, kind.TYPE_STRING, False, ""),
        ("tensor_content", 3, kind.TYPE_BYTES, False, ""),
    )
    message(
        "Value",
        ("tag", 1, kind.TYPE_STRING, False, ""),
        ("tensor", 2, kind.TYPE_MESSAGE, False, "TensorProto"),
    )
    message("Checkpoint", ("value", 1, kind.TYPE_MESSAGE, True, "Value"))
    packed = file.message_type.add(name="PackedTensor")
    field = packed.field.add(name="dims", number=1, type=kind.TYPE_INT64, label=kind.LABEL_REPEATED)
    field.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = [f"assay_test.{name}" for name in ("Checkpoint", "Value", "TensorProto", "PackedTensor")]
    return {
        name.split(".")[1]: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        for name in names
    }


PROTO = message_classes()


def protobuf_file(path: Path, *values: tuple[str, list[int], str, bytes]) -> Path:
    checkpoint = PROTO["Checkpoint"]()
    for tag, dims, type_name, content in values:
        value = checkpoint.value.add(tag=tag)
        value.tensor.dims.extend(dims)
        value.tensor.tensor_type = type_name
        value.tensor.tensor_content = content
    path.write_bytes(checkpoint.SerializeToString())
    return path


def test_every_type_written_by_protobuf_is_read(tmp_path: Path) -> None:
    values = []
    wanted = {}
    for name, dtype in {
        "Float32": torch.float32,
        "Float16": torch.float16,
        "BFloat16": torch.bfloat16,
        "Int32": torch.int32,
        "Int64": torch.int64,
        "Bool": torch.bool,
    }.items():
        tensor = (torch.arange(6) % 2 if dtype == torch.bool else torch.arange(6)).to(dtype).view(2, 3)
        wanted[name] = tensor
        values.append((name, [2, 3], name, tensor.view(torch.uint8).numpy().tobytes()))
    with CheckpointReader(protobuf_file(tmp_path / "a.ckpt", *values)) as reader:
        assert list(reader.tensors) == list(wanted)
        for name, tensor in wanted.items():
            read = reader.read(name)
            assert read.dtype == tensor.dtype
            assert torch.equal(read, tensor)


def test_a_tensor_split_over_values_is_joined_in_order(tmp_path: Path) -> None:
    tensor = torch.arange(12, dtype=torch.float32)
    raw = tensor.numpy().tobytes()
    parts = [("w", [3, 4], "Float32", raw[at : at + 20]) for at in range(0, 48, 20)]
    path = protobuf_file(tmp_path / "a.ckpt", *parts, ("b", [1], "Int32", b"\x07\0\0\0"))
    with CheckpointReader(path) as reader:
        assert torch.equal(reader.read("w"), tensor.view(3, 4))
        assert reader.read("b").tolist() == [7]


def test_packed_dims_a_scalar_and_a_checksum_trailer_are_understood(tmp_path: Path) -> None:
    packed = PROTO["PackedTensor"](dims=[2, 2]).SerializeToString()
    rest = PROTO["TensorProto"](tensor_type="Float32", tensor_content=bytes(16)).SerializeToString()
    tensor = PROTO["TensorProto"].FromString(packed + rest)
    assert tensor.dims == [2, 2]
    body = packed + rest
    value = b"\x0a\x01w\x12" + bytes([len(body)]) + body
    scalar = PROTO["Checkpoint"]()
    scalar.value.add(
        tag="s", tensor=PROTO["TensorProto"](dims=[0], tensor_type="Int32", tensor_content=b"\x05\0\0\0")
    )
    path = tmp_path / "a.ckpt"
    trailer = b"crc_num" + (123).to_bytes(10, "big")
    path.write_bytes(b"\x0a" + bytes([len(value)]) + value + scalar.SerializeToString() + trailer)
    with CheckpointReader(path) as reader:
        assert reader.read("w").shape == (2, 2)
        assert reader.read("s").shape == ()
        assert int(reader.read("s")) == 5


def test_what_we_write_protobuf_reads(tmp_path: Path) -> None:
    tensors = {
        "half": torch.arange(300, dtype=torch.float16).view(3, 100),
        "brain": torch.ones(2, 2, dtype=torch.bfloat16),
        "scalar": torch.tensor(3.5),
        "empty": torch.empty(0, 4),
    }
    write_checkpoint(tmp_path / "a.ckpt", tensors.items(), slice_bytes=256)
    read = PROTO["Checkpoint"].FromString((tmp_path / "a.ckpt").read_bytes())
    halves = [value for value in read.value if value.tag == "half"]
    assert len(halves) == 3
    assert all(list(value.tensor.dims) == [3, 100] for value in halves)
    joined = b"".join(value.tensor.tensor_content for value in halves)
    assert joined == tensors["half"].numpy().tobytes()
    assert list(read.value[-2].tensor.dims) == [0]
    with CheckpointReader(tmp_path / "a.ckpt") as reader:
        for name, tensor in tensors.items():
            assert torch.equal(reader.read(name), tensor)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=20), st.lists(st.integers(0, 5), min_size=1, max_size=3), min_size=1
    ),
    st.integers(1, 64),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_is_written_is_read_back(tmp_path: Path, shapes: dict[str, list[int]], slice_bytes: int) -> None:
    tensors = {
        name: torch.randn(shape) for name, shape in shapes.items() if shape != [0] and name.encode("utf-8")
    }
    if not tensors:
        return
    write_checkpoint(tmp_path / "a.ckpt", tensors.items(), slice_bytes=slice_bytes)
    with CheckpointReader(tmp_path / "a.ckpt") as reader:
        assert all(torch.equal(reader.read(name), tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([("w", [2, 2], "Float32", bytes(12))], "needs 16 bytes, the file has 12"),
        ([("w", [2**40, 2**20], "Float32", bytes(12))], "the file has 12"),
        ([("w", [-1, 2], "Float32", bytes(12))], "negative dimension"),
        ([("w", [1], "Float99", bytes(4))], "unknown type 'Float99'"),
        ([("w", [1] * 40, "Float32", bytes(4))], "too many dimensions"),
        ([("", [1], "Float32", bytes(4))], "no name"),
        ([("n" * 5000, [1], "Float32", bytes(4))], "a name has 5000 bytes"),
        (
            [("w", [2], "Float32", bytes(4)), ("v", [1], "Int8", b"x"), ("w", [2], "Float32", bytes(4))],
            "occurs twice",
        ),
        ([("w", [2], "Float32", bytes(4)), ("w", [3], "Float32", bytes(4))], "do not belong together"),
    ],
)
def test_files_that_contradict_themselves_are_refused(
    tmp_path: Path, values: list[tuple[str, list[int], str, bytes]], message: str
) -> None:
    path = protobuf_file(tmp_path / "a.ckpt", *values)
    with pytest.raises(DataError, match=message):
        CheckpointReader(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no tensors"),
        (b"not a checkpoint at all", "announced|no MindSpore checkpoint|not terminated"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "are announced where 0 are left"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "not terminated"),
        (b"\x0a\x02\x12\x05", "5 bytes are announced where 0 are left"),
        (b"\x0a\x05\x0a\x01w\x1a\x00", "map tensor"),
    ],
)
def test_hostile_bytes_are_refused_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        CheckpointReader(path)


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    try:
        CheckpointReader(path).close()
    except DataError:
        pass


@given(st.integers(0, 120), st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_a_damaged_byte_is_read_or_refused(tmp_path: Path, position: int, byte: int) -> None:
    path = protobuf_file(
        tmp_path / "a.ckpt", ("w", [2, 4], "Float32", bytes(32)), ("v", [16], "Int32", bytes(64))
    )
    content = bytearray(path.read_bytes())
    content[position % len(content)] = byte
    path.write_bytes(bytes(content))
    try:
        with CheckpointReader(path) as reader:
            for name in reader.tensors:
                reader.read(name)
    except DataError:
        pass


def test_truncation_anywhere_is_noticed(tmp_path: Path) -> None:
    path = protobuf_file(
        tmp_path / "a.ckpt", ("w", [2, 4], "Float32", bytes(32)), ("v", [16], "Int32", bytes(64))
    )
    content = path.read_bytes()
    first = content.index(b"\x0a", 30) if b"\x0a" in content[30:] else len(content)
    complete = {0, first, len(content)}
    for length in range(1, len(content)):
        path.write_bytes(content[:length])
        if length not in complete:
            with pytest.raises(DataError):
                CheckpointReader(path)


def test_announced_sizes_allocate_nothing(tmp_path: Path) -> None:
    path = protobuf_file(tmp_path / "a.ckpt", ("w", [2**31, 2**31], "Float32", bytes(4)))
    tracemalloc.start()
    with pytest.raises(DataError):
        CheckpointReader(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_an_unfinished_file_never_takes_the_name(tmp_path: Path) -> None:
    def broken() -> Any:
        yield "a", torch.zeros(4)
        raise DataError("the source ends")

    with pytest.raises(DataError, match="the source ends"):
        write_checkpoint(tmp_path / "a.ckpt", broken())
    assert not (tmp_path / "a.ckpt").exists()
