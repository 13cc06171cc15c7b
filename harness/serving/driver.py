"""The thread that owns an open model: everybody else hands it work, and gets answers as they come."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness.api.errors import HarnessError, StageError
from harness.api.example import Completion
from harness.api.notice import Notice
from harness.api.run import RunContext
from harness.api.session import Engine, ModelSession, Stream, TokenLog
from harness.api.spec import GenerateSpec

from .memory import give_back
from .plain import PlainEngine

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
IDLE = 0.5  # seconds between looks at whether to close
TIDY = 10.0  # seconds of work after which memory that is free is given back


@dataclass(frozen=True, slots=True)
class Said:
    """What came since the last time; at the end the completion, or what failed."""

    text: str = ""
    logs: tuple[TokenLog, ...] = ()
    completion: Completion | None = None
    error: HarnessError | None = None


@dataclass(slots=True, eq=False)
class Live:
    """A request that is being answered, seen from the event loop."""

    stream: Stream
    _driver: Driver
    _loop: asyncio.AbstractEventLoop
    started: float = field(default_factory=time.perf_counter)
    first: float | None = None  # seconds to the first text
    _said: asyncio.Queue[Said] = field(default_factory=asyncio.Queue)
    _told: int = 0  # log-probabilities that were handed over

    async def __aiter__(self) -> AsyncIterator[Said]:
        """Yield what is said until it has ended; a reader who leaves frees the rows."""
        try:
            while True:
                said = await self._said.get()
                if said.error is not None:
                    raise said.error
                yield said
                if said.completion is not None:
                    return
        finally:
            self._driver.forget(self)

    def collect(self) -> Said | None:
        """Return what is new; called by the driver's thread alone."""
        stream = self.stream
        text, logs = stream.take(), tuple(stream.logs[self._told :])
        self._told += len(logs)
        if not (text or logs or stream.completion or stream.error):
            return None
        if text and self.first is None:
            self.first = time.perf_counter() - self.started
        return Said(text, logs, stream.completion, stream.error)

    def put(self, said: Said) -> None:
        """Hand something over; called in the event loop."""
        self._said.put_nowait(said)


class Driver:
    """Opens a model in a thread of its own and steps its engine while there is work."""

    def __init__(
        self,
        name: str,
        open_session: Callable[[], ModelSession],
        spec: GenerateSpec,
        run: RunContext,
        most_waiting: int,
        adapters: Mapping[str, Path] | None = None,
    ) -> None:
        self.adapters = dict(adapters or {})
        self.name, self.spec, self.run = name, spec, run
        self.templates: tuple[str, ...] = ()  # known once the model is open
        self.notice: Notice = {}  # what people are told beside answers
        self.ready = threading.Event()
        self.failed: HarnessError | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self._open, self._most_waiting = open_session, most_waiting
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._live: set[Live] = set()
        self._closing = threading.Event()
        self._session: ModelSession | None = None
        self._engine: Engine | None = None
        self._thread = threading.Thread(target=self._run, name=f"model {name}", daemon=True)

    def start(self) -> None:
        """Begin to open the model."""
        self._thread.start()

    @property
    def session(self) -> ModelSession:
        """The open model, for work that is done in its thread."""
        assert self._session is not None
        return self._session

    @property
    def engine(self) -> Engine:
        """The engine, for work that is done in its thread."""
        assert self._engine is not None
        return self._engine

    @property
    def running(self) -> int:
        """How many requests are being answered or wait."""
        return len(self._live)

    async def call(self, function: Callable[[], Result]) -> Result:
        """Do something in the model's thread, between two steps."""
        done: Future[Result] = Future()

        def work() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(function())
            except BaseException as error:  # noqa: BLE001  it is the caller's
                done.set_exception(error)

        self._work.put(work)
        return await asyncio.wrap_future(done)

    async def submit(self, submit: Callable[[ModelSession, Engine], Stream]) -> Live:
        """Put a request to the engine; what it refuses is raised here."""
        loop = asyncio.get_running_loop()

        def work() -> Live:
            live = Live(submit(self.session, self.engine), self, loop)
            self._live.add(live)
            return live

        answer = asyncio.ensure_future(self.call(work))
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:  # the client has left before its request was taken
            answer.add_done_callback(
                lambda done: None if done.cancelled() or done.exception() else self.forget(done.result())
            )
            raise

    def forget(self, live: Live) -> None:
        """Give up a request whose reader has left or has all; from any thread."""

        def work() -> None:
            self._live.discard(live)
            if live.stream.completion is None and live.stream.error is None:
                live.stream.cancel()

        self._work.put(work)

    def close(self, seconds: float) -> None:
        """Let what runs end, for so many seconds at most, and close the model."""
        self._closing.set()
        self._work.put(lambda: None)
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._session = self._open()
            for name, path in self.adapters.items():
                self._session.add_adapter(name, path)
            self._engine = self._new_engine()
            self.templates = self._session.templates
            self.ready.set()
        except Exception as error:
            if isinstance(error, HarnessError):
                self.failed = error
            else:
                logger.exception("opening %s failed", self.name)
                self.failed = StageError(f"the model cannot be opened: {type(error).__name__}: {error}")
            self.on_failure()
            return
        tidied = time.monotonic()
        while not (self._closing.is_set() and not self._live):
            self._do_work(wait=not self.engine.busy)
            if self.engine.busy:
                self._step()
                if time.monotonic() - tidied > TIDY:
                    give_back()
                    tidied = time.monotonic()
        self._session.close()

    def _new_engine(self) -> Engine:
        engine = self.session.engine(self.spec, self._most_waiting)
        return engine or PlainEngine(self.session, self.run, self._most_waiting)

    def _do_work(self, *, wait: bool) -> None:
        try:
            self._work.get(block=wait, timeout=IDLE if wait else None)()
            while True:
                self._work.get_nowait()()
        except queue.Empty:
            pass

    def _step(self) -> None:
        try:
            self.engine.step()
        except Exception:
            logger.exception("a step of %s failed", self.name)
            self._fail(StageError("the model failed; the server's log says why"))
            return
        news = [(live, said) for live in self._live if (said := live.collect()) is not None]
        self._live -= {live for live, said in news if said.completion or said.error}
        if news:
            _hand_over(news)

    def _fail(self, error: HarnessError) -> None:
        """Tell all that wait that they wait in vain, and begin anew with a fresh engine."""
        self._engine = self._new_engine()
        news = [(live, Said(error=error)) for live in self._live]
        self._live.clear()
        if news:
            _hand_over(news)


def _hand_over(news: list[tuple[Live, Said]]) -> None:
    """Wake the readers once a step, however many there are."""

    def put() -> None:
        for live, said in news:
            live.put(said)

    loop: Any = news[0][0]._loop
    try:
        loop.call_soon_threadsafe(put)
    except RuntimeError:  # the server has closed its loop; nobody reads any more
        return
