"""The engine of models that have none: whole answers, those that wait together in one asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.api.errors import HarnessError, StageError, UsageError
from harness.api.example import Completion, Request
from harness.api.run import RunContext
from harness.api.session import Fit, ModelSession, QueueFull, TokenLog
from harness.api.spec import GenerateSpec


class PlainStream:
    """The answer to one request, which comes whole."""

    def __init__(self, engine: PlainEngine, request: Request, spec: GenerateSpec) -> None:
        self.completion: Completion | None = None
        self.error: StageError | None = None
        self.request, self.spec = request, spec
        self._engine = engine
        self._taken = False

    @property
    def logs(self) -> Sequence[TokenLog]:
        """None are told."""
        return ()

    @property
    def prompt_logs(self) -> Sequence[TokenLog]:
        """None are told."""
        return ()

    def take(self) -> str:
        """Return the text, once."""
        if self.completion is None or self._taken:
            return ""
        self._taken = True
        return self.completion.text

    def cancel(self) -> None:
        """Leave the request out, where it still waits."""
        self._engine.leave_out(self)


class PlainEngine:
    """Asks a session for all that waits with equal settings."""

    def __init__(self, session: ModelSession, run: RunContext, most_waiting: int) -> None:
        self._session, self._run, self._most = session, run, most_waiting
        self._waiting: list[PlainStream] = []

    @property
    def busy(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

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
    ) -> PlainStream:
        """Take a request."""
        if logs is not None or echo:
            raise UsageError("this model tells no log-probabilities of tokens")
        if adapter:
            raise UsageError("this model has no adapters")
        if tokens is not None:
            raise UsageError("this model takes no token ids")
        if len(self._waiting) >= self._most:
            raise QueueFull("as many requests wait as may")
        stream = PlainStream(self, request, spec)
        self._waiting.append(stream)
        return stream

    def leave_out(self, stream: PlainStream) -> None:
        """Forget a request that waits."""
        self._waiting = [other for other in self._waiting if other is not stream]

    def step(self) -> Sequence[PlainStream]:
        """Answer those that wait and want what the first wants."""
        if not self._waiting:
            return ()
        spec = self._waiting[0].spec
        asked = [stream for stream in self._waiting if stream.spec == spec]
        self._waiting = [stream for stream in self._waiting if stream.spec != spec]
        # ids are those of clients, and need not be distinct
        by_id = {str(number): stream for number, stream in enumerate(asked)}
        requests = [replace(stream.request, id=number) for number, stream in by_id.items()]
        try:
            for completion in self._session.generate(requests, spec, self._run):
                by_id[completion.request_id].completion = completion
        except HarnessError as error:
            for stream in asked:
                stream.error = StageError(error.message, hint=error.hint)
        return asked
