"""Learning rates are those of the libraries that the published recipes used."""

from __future__ import annotations

import pytest
import torch
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from harness import TrainSpec
from harness.training.schedule import Schedule

TOTAL, WARMUP = 50, 8


def rates(scheduler: object) -> list[float]:
    found = []
    for _ in range(TOTAL):
        found.append(scheduler.get_last_lr()[0])  # type: ignore[attr-defined]
        scheduler.optimizer.step()  # type: ignore[attr-defined]
        scheduler.step()  # type: ignore[attr-defined]
    return found


def optimizer(rate: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def ours(kind: str, **changes: float) -> list[float]:
    spec = TrainSpec(schedule=kind, warmup_steps=WARMUP, **changes)  # type: ignore[arg-type]
    schedule = Schedule(spec, TOTAL)
    return [schedule.factor(step) for step in range(TOTAL)]


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [("linear", get_linear_schedule_with_warmup), ("cosine", get_cosine_schedule_with_warmup)],
)
def test_linear_and_cosine_are_those_of_transformers(kind: str, theirs: object) -> None:
    expected = rates(theirs(optimizer(), WARMUP, TOTAL))  # type: ignore[operator]
    assert ours(kind) == pytest.approx(expected, abs=1e-9)


def test_warmup_decay_is_that_of_deepspeed() -> None:
    lr_schedules = pytest.importorskip("deepspeed.runtime.lr_schedules")
    theirs = lr_schedules.WarmupDecayLR(optimizer(), TOTAL, 0.0, 1.0, WARMUP)
    found = []
    for step in range(TOTAL):
        theirs.step(step)
        found.append(theirs.get_last_lr()[0])
    assert ours("warmup-decay") == pytest.approx(found, abs=1e-9)


def test_a_share_of_the_steps_warms_up_and_a_share_of_the_rate_remains() -> None:
    schedule = Schedule(TrainSpec(schedule="linear", warmup_steps=0.1, final_lr=0.2), 100)
    assert schedule.warmup == 10 and schedule.factor(10) == 1.0
    assert schedule.factor(100) == pytest.approx(0.2)


@pytest.mark.parametrize("kind", ["linear", "cosine", "warmup-decay"])
@pytest.mark.parametrize("warmup", [0, 3, 10])
def test_the_last_step_still_learns_and_only_a_step_after_it_would_have_the_final_rate(
    kind: str, warmup: int
) -> None:
    schedule = Schedule(TrainSpec(schedule=kind, warmup_steps=float(warmup)), 10)
    factors = [schedule.factor(step) for step in range(10)]
    assert factors[-1] > 0 == schedule.factor(10)
    assert (factors[0] == 0) == (warmup > 1)
