"""A sweep carried out: found again, tried again, blocked, halved, out of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.api.run import SilentProgress
from harness.cli.main import main as program
from harness.engine.prepared import Bench
from harness.engine.run_dir import locked
from harness.files.rows import read_rows
from harness.sweep import conductor as conducting
from harness.sweep.conductor import FAILED, FINISHED, STOPPED, Conductor, reason_of
from harness.sweep.executor import Ended, Job
from harness.sweep.plan import lay_out

TOY = "[run]\nmodel = 'toy'\ntask = 'toy'\nseeds = [0, 1]\n"
CLIMB = "[run]\nmodel = 'climb'\ntask = 'toy'\nplugins = ['climb.py']\n[train]\nmax_steps = 8\n"


@dataclass
class Here:
    """Carries cells out in this process, one after the other, when it is asked how they ended."""

    wide: int = 1
    falls: Callable[[Job, int], Ended | None] = lambda job, time: None
    waiting: list[Job] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    seen: int = 0
    widest: int = 0
    closed: bool = False

    def takes(self, job: Job) -> bool:
        return len(self.waiting) < self.wide

    def submit(self, job: Job) -> None:
        self.waiting.append(job)
        self.begun.append(task_of(job))

    def ended(self) -> Iterable[Ended]:
        if len(self.waiting) != self.seen:  # more may come
            self.seen = len(self.waiting)
            return
        jobs, self.waiting, self.seen = self.waiting, [], 0
        self.widest = max(self.widest, len(jobs))
        for job in jobs:
            yield self.falls(job, self.begun.count(task_of(job))) or self.carry_out(job)

    def carry_out(self, job: Job) -> Ended:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("a") as log, redirect_stdout(log), redirect_stderr(log):
            return Ended(job.number, program([*job.command, "--quiet"]))

    def stop(self, number: int) -> None:
        raise AssertionError("nothing runs while nobody asks")

    def close(self) -> None:
        self.closed = True


def noted(into: list, value: object) -> None:
    """Note a value, and let the cell be carried out."""
    into.append(value)


def task_of(job: Job) -> str:
    return job.command[job.command.index("--task") + 1]


@pytest.fixture
def conduct(load, read, main, tmp_path: Path) -> Callable[..., Conductor]:
    """Return a function that carries a sweep out in this process."""

    def run(text: str, executor: Here | None = None, **options: object) -> Conductor:
        sweep = read(text)
        registry = load(*sweep.asked.plugins)
        bench = Bench(registry, sweep.asked.output, SilentProgress())
        plan = lay_out(registry, sweep)
        here = executor or Here()
        made = Conductor(plan, bench, here, halving=sweep.halving, **options)
        made.run()
        assert here.closed
        return made

    return run


def test_what_is_finished_is_found_by_its_files_and_not_run_again(conduct) -> None:
    first = conduct(TOY)
    assert first.counts == Counter({FINISHED: 2})
    again = conduct(TOY)
    assert again.executor.begun == []
    assert {n: fate.place for n, fate in again.fates.items()} == {n: f.place for n, f in first.fates.items()}
    wider = conduct(TOY + "[sweep.grid]\ntrain.batch_size = [8, 4]")
    assert (wider.counts[FINISHED], len(wider.executor.begun)) == (4, 2)


def test_a_cell_that_falls_is_tried_again_and_hurts_no_other(conduct) -> None:
    told: list[str] = []
    once = Here(falls=lambda job, time: Ended(job.number, -9) if time == 1 else None)
    done = conduct(TOY, once, tell=told.append)
    assert done.counts == Counter({FINISHED: 2})
    assert told == [
        "toy on toy, seed 0 fell and is tried again: killed by SIGKILL, as by a machine without memory left"
    ]


def test_the_tries_have_a_limit(conduct) -> None:
    text = "[run]\nmodel = 'toy'\ntask = 'toys'\n"
    always = Here(
        falls=lambda job, time: Ended(job.number, 5, reason="no") if "toy" in job.command[4:5] else None
    )
    done = conduct(text, always, retries=2)
    assert done.counts == Counter({FINISHED: 1, FAILED: 1})
    assert done.fates[0].reason == "no"
    assert always.begun.count("toy") == 3


def test_what_would_go_wrong_again_is_not_tried_again(conduct) -> None:
    done = conduct(TOY + "[sweep.grid]\nmodel.smoothng = [0.1]")
    assert done.counts == Counter({FAILED: 2})
    assert len(done.executor.begun) == 2
    assert done.fates[0].reason == "model 'toy' has no option 'smoothng' (did you mean smoothing?)"
    assert done.fates[0].code == 2


def test_what_cannot_be_opened_fails_without_a_process(conduct) -> None:
    done = conduct(TOY + "[data]\nsource = 'nowhere'")
    assert (done.counts[FAILED], done.executor.begun) == (2, [])


def test_cells_that_share_a_training_wait_for_each_other(conduct) -> None:
    text = (
        "[run]\nmodel = 'toy'\ntask = 'toy'\n[sweep.grid]\ndata.limit = [3, 4]"  # of the rows that are scored
    )
    done = conduct(text, Here(wide=2))
    assert (done.counts[FINISHED], done.executor.widest) == (2, 1)
    assert conduct(TOY, Here(wide=2)).executor.widest == 2


def test_a_run_that_another_works_on_is_waited_for(conduct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conducting, "AGAIN_AFTER", 0.0)

    def held(job: Job, time: int) -> Ended | None:
        if time > 1:
            return None
        with locked(Path("runs"), "other"):
            return Ended(job.number, 4, reason=held_reason())

    done = conduct("[run]\nmodel = 'toy'\ntask = 'toy'", Here(falls=held), retries=0)
    assert done.counts == Counter({FINISHED: 1})


def held_reason() -> str:
    """Return what a second process is told of a run that one works on."""
    from harness.api.errors import RunLocked

    try:
        with locked(Path("runs"), "other"):
            return ""
    except RunLocked as error:
        return error.message


def test_a_run_whose_files_are_not_here_is_no_finished_run(conduct) -> None:
    done = conduct(TOY, Here(falls=lambda job, time: Ended(job.number, 0)))
    assert done.counts == Counter({FAILED: 2})
    assert "is that folder shared by all?" in done.fates[0].reason


def test_when_the_budget_is_spent_nothing_more_begins(conduct) -> None:
    done = conduct(TOY, budget=0.0)
    assert done.spent
    assert len(done.fates) < 2
    assert conduct(TOY).counts == Counter({FINISHED: 2})


def test_a_measured_peak_goes_with_the_next_cell_of_the_model(conduct) -> None:
    needs: list[float] = []
    conduct(TOY, Here(falls=lambda job, time: noted(needs, job.memory_mib)))
    assert needs[0] == 0
    assert needs[1] > 10


HALVED = (
    CLIMB
    + "[sweep.grid]\nmodel.speed = [1.0, 2.0, 3.0, 4.0]\n[sweep.halving]\nmetric = 'loss'\nrungs = [2, 4]"
)


def test_the_first_seed_decides_which_trials_go_on(conduct, climb: Path) -> None:
    # In this process a training cannot be stopped on its way, and ends; what it told decides all the same.
    done = conduct(HALVED.replace("[train]", "seeds = [0, 1]\n[train]"))
    assert done.counts == Counter({FINISHED: 5, STOPPED: 3})
    assert {number for number, fate in done.fates.items() if fate.status == STOPPED} == {4, 5, 6}
    assert done.fates[4].reason == "loss 0.5 at step 2, 0.1667 went on"
    assert done.fates[6].reason == "loss 0.08333 at step 4, 0.0625 went on"


def test_a_trial_that_told_its_metric_before_is_judged_without_being_run(conduct, climb: Path) -> None:
    conduct(HALVED)
    for record in Path("runs/toy/climb").glob("*/record.json"):
        record.unlink()
    for done in Path("runs/trained/climb").glob("*/checkpoint.json"):
        done.unlink()
    again = conduct(HALVED)
    assert again.counts == Counter({FINISHED: 1, STOPPED: 3})
    assert len(again.executor.begun) == 1
    began = [
        r["step"]
        for p in Path("runs/trained/climb").glob("*/events.jsonl")
        for r in read_rows(p)
        if r["event"] == "began"
    ]
    assert sorted(began) == [0, 0, 0, 0, 8]


def test_a_trial_that_fell_is_compared_no_more(conduct, climb: Path) -> None:
    text = (
        CLIMB
        + "[sweep.grid]\nmodel.speed = [1.0, 2.0, 'fast']\n[sweep.halving]\nmetric = 'loss'\nrungs = [2]"
    )
    done = conduct(text.replace("[train]", "seeds = [0, 1]\n[train]"))
    assert done.counts == Counter({FINISHED: 3, STOPPED: 2, FAILED: 1})
    assert done.fates[5].reason == "its first seed failed"


def test_a_reason_is_the_last_error_of_this_try(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("error: an old one\n")
    start = log.stat().st_size
    log.write_text("error: an old one\nwords\nerror: a new one\nhint: a hint\n")
    assert reason_of(log, start, 5) == "a new one (a hint)"
    assert reason_of(log, log.stat().st_size, -11) == "killed by SIGSEGV"
    assert reason_of(tmp_path / "none", 0, 3) == "ended with code 3"
