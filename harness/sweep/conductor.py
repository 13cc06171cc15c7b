"""Carries a sweep out: starts what there is room for, finds what is finished, tries again what has fallen."""

from __future__ import annotations

import math
import os
import signal
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.api.errors import DataError, HarnessError, PluginError, StageError, UsageError
from harness.engine.matrix import Cell
from harness.engine.prepared import Bench
from harness.engine.run_dir import HELD, newest
from harness.engine.runner import unforeseen
from harness.engine.standing import Standing, standing
from harness.files.json_files import digest

from .executor import Ended, Executor, Job
from .file import Halving
from .halving import Ladder, Verdict, higher_is_better, value_at
from .plan import Plan, Trial

FINISHED, FAILED, STOPPED = "finished", "failed", "stopped early"
PAUSE = 0.1
LOOK_EVERY = 0.5  # seconds between two looks at how a training does
AGAIN_AFTER = 5.0  # seconds before a run that another process works on is asked for again
FOLDER = "sweep-logs"
# Exit codes of what would go wrong again: usage, plugins, data.
FOR_GOOD = (UsageError.exit_code, PluginError.exit_code, DataError.exit_code)
ERROR, HINT = "error: ", "hint: "  # how the program begins the lines that say why, and what to do
LONGEST = 65536  # bytes at a log's end in which a reason is looked for


@dataclass(slots=True)
class Turn:
    """A trial's turn to be carried out: to a step at which it is compared, or to the end."""

    trial: Trial
    until: int = 0
    tries: int = 0


@dataclass(slots=True)
class Running:
    """A turn that is being carried out."""

    turn: Turn
    standing: Standing
    model: str
    trained: Path  # where trainings of its model are
    log: Path
    told_before: int  # bytes of the log, by earlier tries
    begun: float = field(default_factory=time.monotonic)
    looked: float = 0.0
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a cell, where its run or its log is, and why."""

    status: str
    place: Path | None = None
    reason: str = ""
    code: int = 0


@dataclass(slots=True)
class Conductor:
    """A sweep under way."""

    plan: Plan
    bench: Bench
    executor: Executor
    retries: int = 1
    budget: float = math.inf  # seconds
    halving: Halving | None = None
    watch: Callable[[Conductor], None] = lambda conductor: None
    tell: Callable[[str], None] = lambda text: None
    fates: dict[int, Fate] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    running: dict[int, Running] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)
    spent: bool = False  # the budget is
    _ready: Running | None = None  # waits for room
    _turns: deque[Turn] = field(default_factory=deque)
    _fresh: Iterator[int] = field(default_factory=lambda: iter(()))
    _held: deque[tuple[float, Turn]] = field(default_factory=deque)  # others work on their runs
    _blocked: dict[str, list[Turn]] = field(default_factory=lambda: defaultdict(list))
    _ladders: dict[str, Ladder] = field(default_factory=dict)
    _peaks: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Carry out all that is left; whatever ends this stops what runs."""
        self._fresh = iter(range(len(self.plan) if self.halving is None else self.plan.of_a_seed))
        if self.halving is not None:
            self._raise_ladders(self.halving)
        try:
            while not self.spent and self._left():
                moved = self._start()
                for end in list(self.executor.ended()):
                    moved = True
                    self._end(end)
                self._look()
                self.watch(self)
                if not moved:
                    time.sleep(PAUSE)
                self.spent = time.monotonic() - self.begun >= self.budget
        finally:
            self.executor.close()

    def _left(self) -> bool:
        """Whether anything is left to begin or to wait for."""
        if self._ready is None and (turn := self._next()) is not None:
            self._ready = self._prepared(turn)
            return True
        return bool(self._ready or self.running or self._held)

    def _start(self) -> bool:
        """Start what is ready, if there is room for it."""
        if self._ready is None or not self._submit(self._ready):
            return False
        self._ready = None
        return True

    def _next(self) -> Turn | None:
        if self._held and self._held[0][0] <= time.monotonic():
            return self._held.popleft()[1]
        if self._turns:
            return self._turns.popleft()
        number = next(self._fresh, None)
        return None if number is None else self._turn(number)

    def _turn(self, number: int) -> Turn:
        trial = self.plan[number]
        ladder = self._ladders.get(trial.task)
        return Turn(trial, 0 if ladder is None else ladder.step)

    def _prepared(self, turn: Turn) -> Running | None:
        """Look at what there is of a cell; return it where it is to be started as soon as there is room."""
        try:
            cell = self.plan.cell(self.bench.registry, turn.trial)
            running = self._running(turn, cell, standing(self.bench, cell))
        except HarnessError as error:
            self._fail(turn, told(error.message, error.hint), error.exit_code)
        except Exception as error:  # noqa: BLE001  a stranger's task may raise anything
            self._fail(turn, unforeseen(error).message, HarnessError.exit_code)
        else:
            if running.standing.record is not None:
                self._finish(running)
            elif turn.until and (value := self._value(running)) is not None:
                self._arrive(turn, value)
            elif others := running.standing.open & self._worked_on():
                self._blocked[min(others)].append(turn)
            else:
                return running
        return None

    def _worked_on(self) -> set[str]:
        return {key for each in self.running.values() for key in each.standing.open}

    def _running(self, turn: Turn, cell: Cell, found: Standing) -> Running:
        spec = cell.spec
        log = self.bench.output / FOLDER / f"{digest(self.plan.command(turn.trial))[:12]}.txt"
        trained = self.bench.output / "trained" / spec.model.replace("/", "-")
        told = log.stat().st_size if log.exists() else 0
        return Running(turn, found, f"{spec.title} {spec.preset}", trained, log, told)

    def _submit(self, running: Running) -> bool:
        trial = running.turn.trial
        job = Job(
            trial.number,
            tuple(self.plan.command(trial)),
            Path.cwd(),
            running.log.absolute(),
            self._peaks.get(running.model, 0.0),
            {name: value for name, value in os.environ.items() if name.startswith("HARNESS_")},
        )
        if not self.executor.takes(job):
            return False
        try:
            self.executor.submit(job)
        except HarnessError as error:
            self._fail(running.turn, told(error.message, error.hint), error.exit_code)
        else:
            self.running[trial.number] = running
        return True

    def _end(self, end: Ended) -> None:
        """Take up what has ended: finished, stopped at a rung, held by another, or fallen."""
        running = self.running.pop(end.number)
        turn = running.turn
        for key in running.standing.open:
            self._turns.extendleft(reversed(self._blocked.pop(key, [])))
        if end.peak_mib:
            self._peaks[running.model] = max(self._peaks.get(running.model, 0.0), end.peak_mib)
        if end.code == 0:
            self._verify(running)
        elif running.stopping:
            self._arrive(turn, self._value(running))
        elif HELD in (reason := end.reason or reason_of(running.log, running.told_before, end.code)):
            self._held.append((time.monotonic() + AGAIN_AFTER, turn))
        elif turn.tries < self.retries and end.code not in FOR_GOOD:
            self.tell(f"{turn.trial} fell and is tried again: {reason}")
            self._turns.append(Turn(turn.trial, turn.until, turn.tries + 1))
        else:
            self._fail(turn, reason, end.code, running.log)

    def _verify(self, running: Running) -> None:
        """Believe that a run is finished when its files are here."""
        cell = self.plan.cell(self.bench.registry, running.turn.trial)
        running.standing = standing(self.bench, cell)
        if running.standing.record is not None:
            self._finish(running)
            return
        reason = (
            f"its run ended well, and its record is not in {self.bench.output}: is that folder shared by all?"
        )
        self._fail(running.turn, reason, StageError.exit_code, running.log)

    def _finish(self, running: Running) -> None:
        turn, record = running.turn, running.standing.record
        assert record is not None
        if record.environment.get("device") == "cpu":  # of a GPU's memory others get no share anyway
            peak = max(record.peak_memory_mib.values(), default=0.0)
            self._peaks[running.model] = max(self._peaks.get(running.model, 0.0), peak)
        self._decide(turn.trial.number, Fate(FINISHED, running.standing.directory))
        if turn.until:
            self._arrive(turn, self._value(running))

    def _fail(self, turn: Turn, reason: str, code: int, log: Path | None = None) -> None:
        self._decide(turn.trial.number, Fate(FAILED, log, reason, code))
        self.tell(f"{turn.trial} failed, the rest goes on: {reason}")
        if turn.until:
            for number in self._other_seeds(turn.trial.number):
                self._decide(number, Fate(STOPPED, reason="its first seed failed"))
            self._heed(turn, self._ladders[turn.trial.task].fall(turn.trial.number))

    def _decide(self, number: int, fate: Fate) -> None:
        if number not in self.fates:
            self.fates[number] = fate
            self.counts[fate.status] += 1

    def _raise_ladders(self, halving: Halving) -> None:
        each = self.plan.of_a_seed // len(self.plan.tasks)
        for place, task in enumerate(self.plan.tasks):
            climbing = set(range(place * each, (place + 1) * each))
            cell = self.plan.cell(self.bench.registry, self.plan[place * each])
            self._ladders[task] = Ladder(
                halving, higher_is_better(self.bench.registry, halving, cell), climbing
            )

    def _look(self) -> None:
        """Stop the trials that have come to where they are compared."""
        now = time.monotonic()
        for number, running in self.running.items():
            if running.turn.until and not running.stopping and now - running.looked >= LOOK_EVERY:
                running.looked = now
                if self._value(running) is not None:
                    running.stopping = True
                    self.executor.stop(number)

    def _value(self, running: Running) -> float | None:
        assert self.halving is not None
        key = running.standing.stages[-1][0]
        return value_at(newest(running.trained, key), self.halving.metric, running.turn.until)

    def _arrive(self, turn: Turn, value: float | None) -> None:
        self._heed(turn, self._ladders[turn.trial.task].arrive(turn.trial.number, value))

    def _heed(self, turn: Turn, verdict: Verdict | None) -> None:
        """Let those go on that may, after the last rung with all their seeds; end the others."""
        if verdict is None or self.halving is None:
            return
        step = self._ladders[turn.trial.task].step
        for number in verdict.go_on:
            self._turns.append(Turn(self.plan[number], step))
            if not step:
                self._turns.extend(Turn(self.plan[other]) for other in self._other_seeds(number))
        for number, value in verdict.stopped:
            reason = f"{self.halving.metric} {value:.4g} at step {verdict.step}, {verdict.bar:.4g} went on"
            for each in (number, *self._other_seeds(number)):
                self._decide(each, Fate(STOPPED, reason=reason))
        numbers = f"{len(verdict.go_on)} go on, {len(verdict.stopped)} do not"
        self.tell(f"{turn.trial.task}, step {verdict.step}: {numbers}")

    def _other_seeds(self, number: int) -> range:
        return range(number + self.plan.of_a_seed, len(self.plan), self.plan.of_a_seed)


def told(message: str, hint: str) -> str:
    """Return an error in one line."""
    return f"{message} ({hint})" if hint else message


def reason_of(log: Path, start: int, code: int) -> str:
    """Return why a process ended: its last error, or the signal that killed it."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - LONGEST))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    if places := [place for place, line in enumerate(lines) if line.startswith(ERROR)]:
        said, *more = lines[places[-1] :]
        hints = [line.removeprefix(HINT) for line in more if line.startswith(HINT)]
        return told(said.removeprefix(ERROR), "".join(hints))
    if code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}" + (", as by a machine without memory left" if name == "SIGKILL" else "")
    return next((line.strip() for line in reversed(lines) if line.strip()), f"ended with code {code}")
