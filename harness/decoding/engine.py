"""The engine: requests join and leave while others run; memory that runs out costs smaller batches.

Nothing generated is lost when memory runs out: texts so far are kept, and read again in smaller company.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from harness.api.errors import StageError, UsageError, nearest, ran_out_of_memory
from harness.api.example import Request
from harness.api.session import Fit
from harness.api.spec import GenerateSpec

from .admission import Lane, Load, Queue
from .batch import Batch
from .beginnings import LEAST, Beginnings, in_turn
from .budget import Budget, free_bytes
from .jobs import Decode, Encode, Job, default_decode, encoded, prepare
from .language_model import LanguageModel
from .logs import ELEMENTS, AnswerLogs, PromptLogs
from .manner import Manner, Manners
from .reading import Reading
from .stream import Stream

READ_TOKENS = 8192  # prompt tokens read in one forward, so that activations stay small beside the cache
PIECES = {"cpu": 512}  # and while others wait for their next token
PIECE = 2048
BEGINNINGS_SHARE = 0.1  # of the memory that is free may go to beginnings that were read


Settings = Callable[[Request, GenerateSpec], GenerateSpec]


class Intake:
    """Requests of one lane whose prompts are being read."""

    def __init__(self, lm: LanguageModel, lane: Lane, jobs: Sequence[Job]) -> None:
        self.lane, self.jobs = lane, list(jobs)
        slots = [text for job in jobs for text in job.live]
        for text in slots:
            text.proposed, text.twins = None, []  # each is read on a row of its own
        self.reading = Reading(
            lm,
            [text.job.prompt for text in slots],
            [text.tokens for text in slots],
            beginnings=[text.job.beginning for text in slots],
            keep_hidden=jobs[0].manner.search.keep_hidden,
            adapter=jobs[0].adapter,
        )
        self.batch = Batch(self.reading.rows, slots)
        self._logs = PromptLogs(jobs) if jobs[0].echoes else None

    def advance(self, tokens: int | None = None) -> None:
        """Read a piece of so many tokens, or a block of the prompts."""
        if self._logs is None:
            self.reading.advance(tokens)
            return
        most = max(1, ELEMENTS // self.reading.rows.lm.vocabulary)
        self.reading.advance(min(tokens or most, most), self._logs.note)

    def drop(self, job: Job) -> None:
        """Leave out a request that was given up."""
        self.jobs.remove(job)
        self.lane.reading.remove(job)
        self.batch.drop(job)


class Engine:
    """Decodes requests of one model together, each as its own specification says.

    `submit` returns at once, `step` gives every text its next token. Memory and batch size are those of
    `spec`: `batch_tokens` and `deterministic`. `settings` adds to a request's own what the layout of its
    prompt asks for, such as the end of a template's turn. `own_adapter` works for those who ask for none,
    by default the active one; an empty name is none. An `interactive` engine reads long prompts in
    pieces, so that no text waits long for its next token; one that is not does all as fast as it can.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        spec: GenerateSpec | None = None,
        *,
        encode: Encode | None = None,
        decode: Decode | None = None,
        settings: Settings | None = None,
        own_adapter: str | None = None,
        interactive: bool = True,
        most_waiting: int | None = None,
    ) -> None:
        self.lm = LanguageModel(model, tokenizer)
        if own_adapter is not None:
            self.lm.own_adapter = own_adapter
        self.budget = Budget(spec or GenerateSpec(), self.lm.device)
        self.beginnings = Beginnings(int(free_bytes(self.lm.device) * BEGINNINGS_SHARE))
        self.queue = Queue(self.lm, self.budget, self.beginnings, most=most_waiting, interactive=interactive)
        self.interactive = interactive
        self._tokenizer, self._encode, self._settings = tokenizer, encode, settings
        self._decode = decode or default_decode(tokenizer)
        self._manners = Manners(self.lm, tokenizer, self._decode)
        self._streams: dict[Job, Stream] = {}
        self._lanes: list[Lane] = []
        self._intakes: list[Intake] = []
        self._ended: list[Job] = []
        self._failed: dict[Job, StageError] = {}
        self.seconds = 0.0  # of the engine's own, without what the caller does between steps
        self.steps = 0
        self.new_tokens = 0
        self.peak_rows = 0
        self.shared_tokens = 0  # of prompts, that were read before
        self.lengths: Counter[int] = Counter()

    def manner(self, spec: GenerateSpec) -> Manner:
        """Check a specification and return how requests are decoded by it."""
        return self._manners.of(spec)

    def submit(
        self,
        request: Request,
        spec: GenerateSpec,
        *,
        tokens: Sequence[int] | None = None,
        fit: Fit = "cut",
        logs: int | None = None,
        echo: bool = False,
        adapter: str = "",
    ) -> Stream:
        """Put a request at the end of the queue, and return what it will say.

        `tokens` stand for a prompt that is encoded, with nothing laid around it. `fit` says what gives way
        where the model cannot hold prompt and answer: the prompt is cut, the answer shortened, or the
        request refused. `logs` asks for the log-probability of each token, beside those of so many of the
        likeliest; with `echo` the prompt's are told as well. `adapter` is one of the model's, by name.
        """
        given: Mapping[str, list[int]] = {"input_ids": list(tokens or ())}
        if tokens and not 0 <= min(tokens) <= max(tokens) < self.lm.vocabulary:
            raise UsageError(f"a token id is none of the model's {self.lm.vocabulary}")
        if tokens is None:
            [given] = encoded(self.lm, self._tokenizer, [request], self._encode)
            spec = self._settings(request, spec) if self._settings else spec
        manner = self.manner(spec)
        self._check_logs(manner, logs, echo)
        job = prepare(self.lm, request, given, manner, fit)
        job.logs, job.echo = logs, echo
        job.adapter = self._adapter(adapter)
        return self._enqueued(job)

    def submit_all(self, requests: Sequence[Request], manner: Manner) -> None:
        """Put requests into the queue, in the order in which they are done fastest."""
        prompts = encoded(self.lm, self._tokenizer, requests, self._encode)
        jobs = [prepare(self.lm, *pair, manner) for pair in zip(requests, prompts, strict=True)]
        jobs.sort(key=lambda job: -job.length)  # stable: those of one length stay in the order of the file
        if self.queue.shares:
            jobs = [jobs[place] for place in in_turn([job.prompt for job in jobs])]
        for job in jobs:
            self._enqueued(job)

    def cancel(self, stream: Stream) -> None:
        """Give a request up: its rows are no longer read on, and make room for others."""
        job = stream.job
        if self._streams.pop(job, None) is None or self.queue.remove(job):
            return
        for intake in self._intakes:
            if job in intake.jobs:
                intake.drop(job)
        for lane in self._lanes:
            if lane.batch is not None:
                lane.batch.drop(job)
        self._clear_up()

    def holds(self, stream: Stream) -> bool:
        """Whether a request is still to be answered: it has neither ended nor been given up."""
        return stream.job in self._streams

    @property
    def busy(self) -> bool:
        """Whether any request has no answer yet."""
        return bool(self._streams)

    @property
    def running(self) -> int:
        """How many requests are being read or decoded."""
        return len(self._streams) - len(self.queue)

    @property
    def rate(self) -> float:
        """New tokens a second so far."""
        return round(self.new_tokens / self.seconds, 1) if self.seconds else 0.0

    def step(self) -> list[Stream]:
        """Read some of what waits, give every text its next token, and return the answers that ended."""
        started = time.perf_counter()
        if self._streams and not self._turn():
            self._shrink()
        self.seconds += time.perf_counter() - started
        ended, self._ended = self._ended, []
        failed, self._failed = self._failed, {}
        return [self._answered(job, failed.get(job)) for job in [*ended, *failed]]

    def facts(self) -> dict[str, Any]:
        """Return what goes into the record."""
        return {
            **self.budget.facts(),
            "seconds": round(self.seconds, 3),
            "new_tokens": self.new_tokens,
            "tokens_per_second": self.rate,
            "steps": self.steps,
            "peak_rows": self.peak_rows,
            "prompts_by_length": {f"<={length}": n for length, n in sorted(self.lengths.items())},
            "prompt_tokens_shared": self.shared_tokens,
        }

    def _check_logs(self, manner: Manner, logs: int | None, echo: bool) -> None:
        if logs is not None and (manner.decoder not in ("greedy", "sampling") or manner.width > 1):
            raise UsageError("log-probabilities are told of one text, chosen greedily or by sampling")
        if echo and (logs is None or self.lm.encoder_decoder):
            raise UsageError("only a decoder-only model tells log-probabilities of a prompt, with logs")

    def _adapter(self, name: str) -> str:
        """Return the adapter of a request: the model's own, where it asks for none."""
        if name and name not in self.lm.adapters:
            raise UsageError(f"the model has no adapter '{name}'", hint=nearest(name, self.lm.adapters))
        return name or self.lm.own_adapter

    def _enqueued(self, job: Job) -> Stream:
        self.queue.put(job)
        self.lengths[1 << (job.length - 1).bit_length()] += 1
        stream = self._streams[job] = Stream(self, job, self._decode)
        return stream

    def _answered(self, job: Job, error: StageError | None) -> Stream:
        stream = self._streams.pop(job)
        if error is None:
            stream.completion = job.manner.ending.completion(job)
        else:
            stream.error = error
        return stream

    def _turn(self) -> bool:
        """Take one step; False when memory ran out."""
        if self.lm.model.training:
            self.lm.model.eval()
        try:
            with self.lm.unlearning():
                read = self._read_pieces() if self.interactive else self._read_all()
                self.peak_rows = max(
                    self.peak_rows, sum(lane.batch.live for lane in self._lanes if lane.batch)
                )
                for lane in list(self._lanes):
                    if lane.batch is not None:
                        self._advance(lane.batch, timed=not read)
                        self._clear_up()
        except (RuntimeError, MemoryError) as error:
            if self.lm.sharded or not ran_out_of_memory(error):
                raise  # other processes take the same steps, and would wait for those of smaller batches
            return False
        return True

    def _advance(self, batch: Batch, *, timed: bool) -> None:
        started, rows = time.perf_counter(), batch.live
        stood, logs = batch.slots, AnswerLogs(batch)
        ended, grown = batch.choose()
        logs.note()
        self.steps += 1
        self.new_tokens += grown
        self._ended += ended
        if self.interactive and self.queue.shares:
            for job in ended:
                if job.ended[0] in stood:  # beams make new texts at every step
                    self._keep(batch, job, stood.index(job.ended[0]))
        if batch.live:
            batch.advance()
        if timed and len(self._lanes) == 1:
            # texts that are the same so far share a row, and are planned for as if each had its own
            self.budget.stepped(time.perf_counter() - started, max(rows, grown))

    def _read_all(self) -> bool:
        """Read in all that fit."""
        read = False
        while loads := self.queue.take(self._lanes):
            self._intakes = [intake for load in loads for intake in self._intakes_of(load)]
            for intake in self._intakes:
                while intake.reading.left:
                    intake.advance()
            self._settle(self._intakes)
            read = True
        return read

    def _read_pieces(self) -> bool:
        """Read a piece of the oldest prompts and one of those that are soonest read."""
        piece = PIECES.get(self.lm.device.type, PIECE)
        for load in self.queue.take(self._lanes):
            self._intakes += self._intakes_of(load)
        if not self._intakes:
            return False
        for intake in {self._intakes[0], min(self._intakes, key=lambda intake: intake.reading.left)}:
            intake.advance(piece)
        self._settle([intake for intake in self._intakes if not intake.reading.left])
        return True

    def _intakes_of(self, load: Load) -> list[Intake]:
        """Begin to read what was taken for one lane, in passes that are not too large."""
        lane, jobs = load.lane, load.taken
        if lane is None:
            lane = Lane()
            self._lanes.append(lane)
        lane.reading += jobs
        intakes = []
        for some in _apart(jobs):
            share = max(1, READ_TOKENS // max(job.length + job.step for job in some))
            intakes += [Intake(self.lm, lane, some[i : i + share]) for i in range(0, len(some), share)]
        self.shared_tokens += sum(job.beginning.length for job in jobs if job.beginning)
        return intakes

    def _settle(self, intakes: Sequence[Intake]) -> None:
        """Let what was read join the rows of its lane."""
        for lane in dict.fromkeys(intake.lane for intake in intakes):
            own = [intake for intake in intakes if intake.lane is lane]
            for intake in own:
                self._remember(intake)
            batches = [*([lane.batch] if lane.batch else ()), *(intake.batch for intake in own)]
            if len(batches) > 1:
                batches[0].join(batches[1:])
            jobs = [job for intake in own for job in intake.jobs]
            lane.batch, lane.reading = batches[0], [job for job in lane.reading if job not in jobs]
            self.budget.weigh(batches[0].rows.bytes_per_column, max(job.planned for job in lane.jobs))
        self._intakes = [intake for intake in self._intakes if intake not in intakes]

    def _remember(self, intake: Intake) -> None:
        """Keep prompts that begin like those of others who wait for it."""
        for place, text in enumerate(intake.batch.slots):
            if text is not None:
                if text.job.awaited and text is text.job.live[0]:
                    self.beginnings.keep(intake.batch.rows.beginning(place, text.job.prompt))
                text.job.awaited, text.job.beginning = False, None

    def _keep(self, batch: Batch, job: Job, place: int) -> None:
        """Keep what a request has read and said, with which the next turn of its conversation begins."""
        said = job.ended[0].tokens[:-1] if len(job.prompt) == 1 else []  # the last token is not yet read
        if job.length + len(said) < LEAST:
            return
        tokens = {**job.prompt, "input_ids": [*job.prompt["input_ids"], *said]}
        self.beginnings.keep(batch.rows.beginning(place, tokens))

    def _clear_up(self) -> None:
        """Let go of rows of which none lives, and of lanes without requests."""
        self._intakes = [intake for intake in self._intakes if intake.jobs]
        for lane in self._lanes:
            if lane.batch is not None and not lane.batch.live:
                lane.batch = None
        self._lanes = [lane for lane in self._lanes if lane.batch or lane.reading]

    def _shrink(self) -> None:
        """Give up what is in memory, and begin again with less."""
        loads = [Load.of(lane) for lane in self._lanes]
        jobs = [job for lane in self._lanes for job in lane.jobs]
        self._lanes, self._intakes = [], []
        self.beginnings.clear()
        for job in jobs:
            job.beginning = None
        if self.lm.device.type == "cuda":
            torch.cuda.empty_cache()
        if len(jobs) > 1:
            self.budget.ran_out(sum(load.rows * load.longest for load in loads))
            self.queue.put_back(jobs)
            return
        for job in jobs:
            self._failed[job] = StageError(
                f"memory ran out with request '{job.request.id}' ({job.length} prompt tokens) decoded alone",
                hint="use a smaller precision, fewer beams, fewer new tokens, or shorter prompts",
            )


def _apart(jobs: Sequence[Job]) -> list[list[Job]]:
    """Part jobs whose prompts cannot be read in one pass, or would not gain by it."""
    parts: dict[tuple[bool, bool], list[Job]] = {}
    for job in jobs:
        parts.setdefault((job.beginning is not None, job.echoes), []).append(job)
    return list(parts.values())
