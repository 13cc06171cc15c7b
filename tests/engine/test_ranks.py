"""Ranks of somebody else's launcher: rank 0 announces stages, the others take part and say how it went."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from harness import DataError, StageError, UsageError
from harness.engine import ranks as module
from harness.engine.ranks import Ranks, inside_a_launcher, join

Stages = list[tuple[str, Path]]


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ranks, Ranks]]:
    """Return rank 0 and rank 1, met at a port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(port))
    monkeypatch.setenv("WORLD_SIZE", "1")  # the first would wait for the second, which is no process here
    monkeypatch.setenv("RANK", "0")
    main = Ranks()
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")  # the second joins and opens nothing
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    other = Ranks()
    main.world_size = 2
    yield main, other


def follow(other: Ranks, work: Callable[[Path, str], None]) -> threading.Thread:
    thread = threading.Thread(target=other.follow, args=(work,), daemon=True)
    thread.start()
    return thread


def test_every_rank_takes_part_in_every_stage_in_its_order(two: tuple[Ranks, Ranks]) -> None:
    main, other = two
    here: list[str] = []
    there: Stages = []
    thread = follow(other, lambda directory, stage: there.append((stage, directory)))
    main.together("train", Path("a"), lambda: here.append("train"))
    main.together("generate", Path("b"), lambda: here.append("generate"))
    main.dismiss()
    thread.join(10)
    assert not thread.is_alive()
    assert here == ["train", "generate"]
    assert there == [("train", Path("a")), ("generate", Path("b"))]


def test_a_rank_that_fails_fails_the_stage_and_the_next_one_goes_on(two: tuple[Ranks, Ranks]) -> None:
    main, other = two
    done: list[str] = []

    def work(directory: Path, stage: str) -> None:
        if directory.name == "bad":
            raise DataError("a row is torn")
        done.append(directory.name)

    thread = follow(other, work)
    with pytest.raises(StageError, match="train failed on rank 1: a row is torn"):
        main.together("train", Path("bad"), lambda: None)
    main.together("train", Path("good"), lambda: None)
    main.dismiss()
    thread.join(10)
    assert done == ["good"]


def test_what_rank_0_fails_with_is_what_is_told(two: tuple[Ranks, Ranks]) -> None:
    main, other = two

    def fails(*arguments: object) -> None:
        raise DataError("here" if not arguments else "there")

    thread = follow(other, fails)
    with pytest.raises(DataError, match="here"):
        main.together("train", Path("a"), fails)
    main.dismiss()
    thread.join(10)


def test_a_rank_that_does_not_come_back_ends_every_later_stage(two, monkeypatch):
    main, _ = two
    monkeypatch.setattr(module, "LONG", timedelta(milliseconds=50))
    lost = "rank 1 did not come back from an earlier stage"
    with pytest.raises(StageError, match=lost):
        main.together("train", Path("a"), lambda: None)
    started: list[int] = []
    with pytest.raises(StageError, match=lost):
        main.together("generate", Path("b"), lambda: started.append(1))
    assert started == []


@pytest.mark.parametrize(
    ("environment", "inside"),
    [
        ({}, False),
        ({"RANK": "0"}, False),
        ({"RANK": "0", "WORLD_SIZE": "1"}, False),
        ({"WORLD_SIZE": "4"}, False),
        ({"RANK": "3", "WORLD_SIZE": "4"}, True),
    ],
)
def test_a_launcher_is_known_by_its_rank_among_several(monkeypatch, environment, inside):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert inside_a_launcher() is inside
    if not inside:
        assert join() is None


def test_ranks_that_cannot_meet_say_what_to_do(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="the ranks cannot meet") as refused:
        join()
    assert refused.value.hint == "start the program with torchrun, or unset RANK and WORLD_SIZE"
