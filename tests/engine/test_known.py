"""What is known of files without reading them again, and what is never taken for known."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.engine import known as module
from harness.engine.known import NAME, Known, looks, named_files


def counted(known: Known, key: object, value: str = "v") -> int:
    """Ask for a key, and return how often the work was done for it."""
    done: list[str] = []

    def work() -> str:
        done.append(value)
        return value

    assert known.get(key, work) == value
    return len(done)


def test_work_is_done_once_and_known_to_the_next_command(tmp_path: Path) -> None:
    known = Known(tmp_path)
    assert [counted(known, ["a", 1]), counted(known, ["a", 1])] == [1, 0]
    assert counted(Known(tmp_path), ["a", 1]) == 0
    assert counted(known, ["a", 2]) == 1


def test_a_plan_that_makes_no_folder_remembers_for_itself_alone(tmp_path: Path) -> None:
    known = Known(tmp_path / "runs")
    assert [counted(known, "a"), counted(known, "a")] == [1, 0]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff\xfe", b'{"a"', b"null", b"3"])
def test_a_damaged_memory_costs_time_and_nothing_else(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / NAME).write_bytes(damage)
    known = Known(tmp_path)
    assert counted(known, "a") == 1
    assert counted(Known(tmp_path), "a") == 0


def test_a_memory_that_cannot_be_kept_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()  # even root cannot write a file there
    assert counted(Known(tmp_path), "a") == 1


def test_the_oldest_is_forgotten_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    known = Known(tmp_path)
    for key in range(5):
        counted(known, key)
    assert len(json.loads((tmp_path / NAME).read_text())) == 3
    later = Known(tmp_path)
    assert [counted(later, key) for key in (4, 3, 2)] == [0, 0, 0]
    assert counted(later, 0) == 1


def test_content_is_read_again_only_when_it_looks_different(tmp_path: Path) -> None:
    known, weights = Known(tmp_path), tmp_path / "w.bin"
    weights.write_bytes(b"1")
    first = known.content(str(weights))
    assert known.content(str(weights)) == first
    weights.write_bytes(b"2")
    second = known.content(str(weights))
    assert second != first
    copy = tmp_path / "copy" / "w.bin"
    copy.parent.mkdir()
    copy.write_bytes(b"2")
    assert known.content(str(copy)) == second


@pytest.mark.parametrize("name", ["", "org/model", "no/such/file"])
def test_what_is_not_on_this_machine_is_known_by_its_name(tmp_path: Path, name: str) -> None:
    assert Known(tmp_path).content(name) == name


def test_a_folder_looks_different_when_any_file_of_it_does(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"1")
    before = looks(tmp_path)
    assert looks(tmp_path) == before
    (tmp_path / "b").write_bytes(b"")
    added = looks(tmp_path)
    assert added != before
    os.utime(tmp_path / "deep" / "a", (1, 1))
    assert looks(tmp_path) not in (before, added)


def test_one_folder_by_two_names_looks_the_same(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert looks(tmp_path / "link") == looks(tmp_path / "data")


def test_a_link_to_nowhere_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert looks(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ({"a": "f"}, ["f"]),
        ({"a": "kept:f"}, ["f"]),
        ({"a": "bm25+kept:f"}, ["f"]),
        ({"a": "f", "b": "g"}, ["f", "g"]),
        ({"a": "none", "b": 3, "c": None, "d": ("f",)}, []),
    ],
)
def test_files_that_options_name_are_found_alone_for_a_retriever_and_in_a_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], files: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("f", "g"):
        Path(name).write_bytes(b"x")
    assert named_files(options) == [looks(Path(name)) for name in files]
