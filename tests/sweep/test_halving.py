"""Which trials go on, by what their trainings have told."""

from __future__ import annotations

from pathlib import Path

from harness.files.rows import append_row
from harness.sweep.file import Halving
from harness.sweep.halving import Ladder, value_at


def ladder(trials: int, *rungs: int, keep: float = 0.5, higher: bool = False) -> Ladder:
    return Ladder(Halving("loss", rungs, keep), higher, set(range(trials)))


def test_the_better_half_goes_on_at_each_rung() -> None:
    climbing = ladder(4, 10, 20)
    assert [climbing.arrive(n, value) for n, value in ((0, 4.0), (1, 1.0), (2, 3.0))] == [None] * 3
    verdict = climbing.arrive(3, 2.0)
    assert (verdict.step, verdict.go_on, verdict.stopped) == (10, [1, 3], [(2, 3.0), (0, 4.0)])
    assert verdict.bar == 2.0
    assert climbing.step == 20
    assert climbing.arrive(3, 0.5) is None
    last = climbing.arrive(1, 0.9)
    assert (last.go_on, last.stopped, climbing.step) == ([3], [(1, 0.9)], 0)


def test_more_is_better_where_the_metric_says_so() -> None:
    climbing = ladder(2, 5, higher=True)
    climbing.arrive(0, 1.0)
    assert climbing.arrive(1, 2.0).go_on == [1]


def test_at_least_one_goes_on() -> None:
    climbing = ladder(3, 5, keep=0.1)
    climbing.arrive(0, 1.0)
    climbing.arrive(1, 2.0)
    assert climbing.arrive(2, 3.0).go_on == [0]


def test_who_has_fallen_is_waited_for_no_more() -> None:
    climbing = ladder(3, 5)
    climbing.arrive(0, 1.0)
    climbing.arrive(2, 2.0)
    assert climbing.fall(1).go_on == [0]
    assert ladder(1, 5).fall(0) is None


def test_who_never_told_the_metric_is_not_judged() -> None:
    climbing = ladder(3, 5)
    climbing.arrive(0, None)
    climbing.arrive(1, 1.0)
    verdict = climbing.arrive(2, 2.0)
    assert (verdict.go_on, verdict.stopped) == ([0, 1], [(2, 2.0)])


def test_a_value_is_that_of_the_first_look_from_a_step_on(tmp_path: Path) -> None:
    assert value_at(None, "loss", 1) is value_at(tmp_path, "loss", 1) is None
    for step in (0, 5, 10):
        append_row(tmp_path / "events.jsonl", {"event": "validation", "step": step, "loss": 1 / (step + 1)})
    assert value_at(tmp_path, "loss", 5) == 1 / 6
    assert value_at(tmp_path, "loss", 6) == 1 / 11
    assert value_at(tmp_path, "loss", 11) is value_at(tmp_path, "bleu", 5) is None
