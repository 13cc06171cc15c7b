"""Who is read in next: as many of those that wait as fit, first come first served, within bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.api.session import QueueFull

from .batch import Batch
from .beginnings import LEAST, Beginnings, Opening, common, opening
from .budget import Budget
from .jobs import Job
from .language_model import LanguageModel
from .rows import Beginning

REFILL_SHARE = 4  # new requests are read in when one row in so many is free
PATIENCE = 4  # steps that a request waits at most for company, where somebody waits for its answer
OVERTAKEN = 32  # requests that may pass one which does not fit yet
PADDING = 4096  # tokens of padding that requests of different lengths may cost before they stay apart
LANES = 4  # batches that take turns at most, so that long rows and short ones can stay apart


class Lane:
    """Rows that are decoded together, and the requests that are being read to join them."""

    def __init__(self) -> None:
        self.batch: Batch | None = None
        self.reading: list[Job] = []

    @property
    def jobs(self) -> list[Job]:
        """Its requests, those that are running first."""
        return [*(self.batch.jobs if self.batch else ()), *self.reading]


@dataclass(slots=True, eq=False)
class Load:
    """What a lane, or one that is yet to be, may come to hold."""

    lane: Lane | None = None
    jobs: int = 0
    rows: int = 0
    longest: int = 0
    wanted: int = 0  # tokens in the cache if each row took only its own
    first: Job | None = None
    taken: list[Job] = field(default_factory=list)

    @classmethod
    def of(cls, lane: Lane) -> Load:
        """Weigh a lane."""
        load = cls(lane)
        for job in lane.jobs:
            load.add(job)
        return load

    def add(self, job: Job) -> None:
        """Add a request."""
        self.first = self.first or job
        self.jobs += 1
        self.rows += job.manner.width
        self.longest = max(self.longest, job.planned)
        self.wanted += job.manner.width * job.planned

    def tokens_with(self, job: Job) -> int:
        """Return how many tokens the cache holds at most when a request is added."""
        return (self.rows + job.manner.width) * max(self.longest, job.planned)

    def padding_with(self, job: Job) -> int:
        """Return how many of them are padding."""
        return self.tokens_with(job) - self.wanted - job.manner.width * job.planned


class Queue:
    """Requests that wait.

    Where somebody waits for the answers, a request that does not fit yet is passed by some that do, the
    first waits no longer for company than a few steps, and long rows and short ones get lanes of their own.
    """

    def __init__(
        self,
        lm: LanguageModel,
        budget: Budget,
        beginnings: Beginnings,
        *,
        most: int | None,
        interactive: bool,
    ) -> None:
        self.lm, self.budget, self.beginnings = lm, budget, beginnings
        self.most, self.interactive = most, interactive
        self.shares = lm.rows_may_join and not lm.encoder_decoder and not budget.alone
        self._jobs: deque[Job] = deque()
        self._steps_waited = 0

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job) -> None:
        """Add a request at the end."""
        if self.most is not None and len(self._jobs) >= self.most:
            raise QueueFull(f"{self.most} requests wait already", hint="try again later")
        self._jobs.append(job)

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Return requests to the head, in their order."""
        self._jobs.extendleft(reversed(jobs))

    def remove(self, job: Job) -> bool:
        """Remove a request that was given up; tell whether it waited."""
        if waited := job in self._jobs:
            self._jobs.remove(job)
        return waited

    def take(self, lanes: Sequence[Lane]) -> list[Load]:
        """Remove the requests to be read in now, which may be none; return them by the lane they go to."""
        if not self._jobs:
            return []
        loads = [Load.of(lane) for lane in lanes]
        running, waiting = sum(load.jobs for load in loads), len(self._jobs)
        scanned, taken, alike = self._scan(loads, [job for lane in lanes for job in lane.reading])
        room = running + len(taken)
        if not running or len(taken) >= min(waiting - alike, max(1, room // REFILL_SHARE)):
            self._steps_waited = 0
        else:
            self._steps_waited += 1
            if not self.interactive or self._steps_waited < PATIENCE:
                taken = set()
        self.put_back([job for job in scanned if job not in taken])
        return [load for load in loads if load.taken] if taken else []

    def _scan(self, loads: list[Load], reading: Sequence[Job]) -> tuple[list[Job], set[Job], int]:
        """Go through those that wait; return all seen, those that fit, and how many wait for one alike."""
        scanned: list[Job] = []
        taken: set[Job] = set()
        too_large: list[Job] = []
        alike = 0
        soon_known = _by_opening(reading)
        while self._jobs:
            job = self._jobs.popleft()
            scanned.append(job)
            known = self._known(job)
            if self.shares and not job.echo and self._is_read_by_another(job, known, soon_known):
                alike += 1
            elif (load := self._load_for(job, loads)) is not None:
                job.beginning = known
                load.add(job)
                load.taken.append(job)
                taken.add(job)
                soon_known.setdefault(opening(job.prompt, job.adapter), []).append(job)
                for passed in too_large:
                    passed.overtaken += 1
            elif self.interactive and job.overtaken < OVERTAKEN:
                too_large.append(job)
            else:
                break
        return scanned, taken, alike

    def _known(self, job: Job) -> Beginning | None:
        if not self.shares or job.echo:  # a prompt is read whole to say how likely it is
            return None
        adapter, hidden = job.kind
        return self.beginnings.longest(job.prompt, adapter, hidden=hidden)

    def _is_read_by_another(
        self, job: Job, known: Beginning | None, soon_known: dict[Opening, list[Job]]
    ) -> bool:
        """Tell whether more of a prompt than is known of it is just being read by another."""
        length = known.length if known else 0
        for other in soon_known.get(opening(job.prompt, job.adapter), ()):
            if min(common(job.prompt, other.prompt), job.length - 1) >= length + LEAST:
                other.awaited = True
                return True
        return False

    def _load_for(self, job: Job, loads: list[Load]) -> Load | None:
        """Return the lane that a request may join now, perhaps a new one, or None where it has to wait."""
        open_to = [load for load in loads if self._may_join(load, job)]
        best = min(open_to, key=lambda load: load.padding_with(job), default=None)
        choice = [] if best is None else [best]
        if len(loads) < (LANES if self.interactive else 1):
            choice.insert(0 if best is None or self._pads_much(best, job) else 1, Load())
        found = next((load for load in choice if self._fits(load, job, loads)), None)
        if found is not None and found not in loads:
            loads.append(found)
        return found

    def _may_join(self, load: Load, job: Job) -> bool:
        first = load.first
        if first is None or first.kind != job.kind:
            return False
        if not self.lm.rows_may_join:  # such rows start together, and cannot stand at different steps
            return load.lane is None and first.step == job.step
        # beside further inputs, generated tokens are read apart from the prompt: all rows have some or none
        return len(job.prompt) == 1 or not load.taken or bool(load.taken[0].step) == bool(job.step)

    def _pads_much(self, load: Load, job: Job) -> bool:
        return load.padding_with(job) > max(PADDING, load.wanted + job.manner.width * job.planned)

    def _fits(self, load: Load, job: Job, loads: Sequence[Load]) -> bool:
        others = [other for other in loads if other is not load]
        if not load.jobs and not others:
            return True  # a request that does not fit alone says so when it is tried
        rows = load.rows + job.manner.width + sum(other.rows for other in others)
        tokens = load.tokens_with(job) + sum(other.rows * other.longest for other in others)
        return self.budget.holds(rows, tokens)


def _by_opening(jobs: Sequence[Job]) -> dict[Opening, list[Job]]:
    found: dict[Opening, list[Job]] = {}
    for job in jobs:
        found.setdefault(opening(job.prompt, job.adapter), []).append(job)
    return found
