"""What was said to be finished is there after a power cut at any moment, and half a file never is."""

import os

import pytest

from harness import DataError
from harness.files.folders import verify, whole_folder
from harness.files.json_files import read_json, write_json
from harness.files.rows import read_rows, write_rows
from harness.files.writing import make_folder, remove_partial, write, writing

from .power import Disk, at, restore


@pytest.fixture
def disk(tmp_path, monkeypatch):
    root = tmp_path / "disk"
    root.mkdir()
    made = Disk(root)
    made.watch(monkeypatch)
    return made


def test_a_file_is_absent_old_or_new_and_what_was_written_stays(disk):
    path = disk.root / "deep" / "folder" / "a.json"
    write(path, "old")
    first = len(disk.cuts)
    write(path, "new, and longer")
    second = len(disk.cuts)
    write(disk.root / "other", "x")
    states = [at(cut, "deep", "folder", "a.json") for cut in disk.cuts]
    assert set(states[:first]) == {None, b"old"} and len(states) > 10
    assert set(states[first - 1 : second]) == {b"old", b"new, and longer"}
    assert set(states[second:]) == {b"new, and longer"}


def test_without_syncing_the_recorder_finds_what_a_power_cut_takes(disk):
    write(disk.root / "kept", "x")
    write(disk.root / "lost", "y", durable=False)
    write(disk.root / "other", "z")
    states = [at(cut, "lost") for cut in disk.cuts]
    assert b"" in states, "a name without its content"


def test_a_folder_is_whole_or_absent_to_its_deepest_file(disk, tmp_path):
    path = disk.root / "checkpoint"
    with whole_folder(path) as partial:
        (partial / "deep").mkdir()
        (partial / "deep" / "weights").write_bytes(b"w" * 99)
        (partial / "config").write_text("c")
    done = len(disk.cuts)
    write(disk.root / "other", "x")
    whole = 0
    for number, cut in enumerate(disk.cuts):
        there = at(cut, "checkpoint") is not None
        assert there or number < done
        if there:
            verify(restore(cut, tmp_path / f"cut-{number}") / "checkpoint")
            whole += 1
    assert whole and len(disk.cuts) > 10


def test_rows_are_whole_or_absent(disk, tmp_path):
    write_rows(disk.root / "rows.jsonl", ({"n": n} for n in range(9)))
    write(disk.root / "other", "x")
    for number, cut in enumerate(disk.cuts):
        if at(cut, "rows.jsonl") is not None:
            folder = restore(cut, tmp_path / f"cut-{number}")
            assert len(list(read_rows(folder / "rows.jsonl"))) == 9


def test_a_write_that_fails_leaves_the_old_file_names_itself_and_nothing_beside(tmp_path):
    path = tmp_path / "a"
    write(path, "old")
    with pytest.raises(ValueError), writing(path) as file:
        file.write(b"half")
        raise ValueError
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a"]
    with pytest.raises(OSError) as error, writing(path) as file:
        raise OSError(28, os.strerror(28))
    assert error.value.filename == str(path)


def test_what_a_killed_writer_left_is_removed(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    (tmp_path / ".a.json.4711-1.partial").write_text("{")
    remove_partial(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_a_folder_that_is_there_is_left_alone_and_one_below_a_file_is_refused(tmp_path):
    make_folder(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(DataError, match=r"absent\.json cannot be read"):
        read_json(tmp_path / "absent.json")
