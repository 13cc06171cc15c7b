"""Requests on their way to a model and back: which model, one answer or several, whole or in pieces."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request as HttpRequest
from starlette.responses import StreamingResponse

from harness.api.errors import HarnessError
from harness.api.example import Completion
from harness.api.session import Engine, ModelSession, Stream, TokenLog

from .asked import Limits
from .driver import Driver, Live, Said
from .meters import Meters
from .problems import Refused, of_error
from .replies import Chat, Text, usage_of

Submit = Callable[[ModelSession, Engine], Stream]
Result = TypeVar("Result")


@dataclass(slots=True)
class Answer:
    """One answer, put together of what was said."""

    text: str = ""
    logs: list[TokenLog] = field(default_factory=list)
    completion: Completion | None = None

    @property
    def done(self) -> Completion:
        """The completion of an answer that has ended."""
        assert self.completion is not None
        return self.completion


class Service:
    """The models of a server, and what may be asked of them."""

    def __init__(self, drivers: Mapping[str, Driver], limits: Limits) -> None:
        self.drivers, self.limits = dict(drivers), limits
        self.meters = Meters(lambda: sum(driver.running for driver in self.drivers.values()))
        self.draining = False
        self.started = int(time.time())

    @property
    def first(self) -> Driver:
        """The model that routes ask which name none."""
        return next(iter(self.drivers.values()))

    @property
    def names(self) -> dict[str, tuple[Driver, str]]:
        """What a request can name: a model, or one with an adapter as `model:adapter`."""
        return {
            f"{name}:{adapter}" if adapter else name: (driver, adapter)
            for name, driver in self.drivers.items()
            for adapter in ("", *driver.adapters)
        }

    def driver(self, model: str) -> tuple[Driver, str]:
        """Return the model of a name, ready to be asked, and the adapter that is meant."""
        if model not in self.names:
            raise Refused(
                f"there is no such model; this server has {', '.join(self.names)}",
                404,
                param="model",
                code="model_not_found",
            )
        driver, adapter = self.names[model]
        return self.checked(driver), adapter

    def checked(self, driver: Driver) -> Driver:
        """Return a model that takes requests, or say why it does not."""
        if driver.failed is not None:
            raise Refused(driver.failed.message, 503, kind="server_error", code="model_failed")
        if self.draining or not driver.ready.is_set():
            why = "is being shut down" if self.draining else "is loading its model"
            raise Refused(f"the server {why}", 503, kind="server_error", headers={"Retry-After": "5"})
        return driver

    async def submit(self, driver: Driver, asked: Sequence[Submit]) -> list[Live]:
        """Put requests to a model: all of them, or none where one is refused."""
        lives: list[Live] = []
        try:
            for submit in asked:
                lives.append(await driver.submit(submit))
                self._check_prompt(lives[-1])
        except BaseException as error:
            for live in lives:
                driver.forget(live)
            if isinstance(error, HarnessError):
                raise of_error(error) from error
            raise
        return lives

    def _check_prompt(self, live: Live) -> None:
        job = getattr(live.stream, "job", None)
        if job is not None and job.length > self.limits.prompt:
            raise Refused(
                f"the prompt has {job.length} tokens, this server takes {self.limits.prompt}",
                param="messages",
                code="context_length_exceeded",
            )

    async def whole(self, http: HttpRequest, lives: Sequence[Live]) -> list[Answer]:
        """Return all answers; where the client leaves, they are given up."""
        return await unless_gone(http, asyncio.gather(*map(self._whole, lives)))

    async def _whole(self, live: Live) -> Answer:
        answer = Answer()
        async for said in self.heard(live):
            answer.text += said.text
            answer.logs += said.logs
            answer.completion = said.completion
        return answer

    async def heard(self, live: Live) -> AsyncIterator[Said]:
        """Yield what is said, and count it."""
        try:
            async for said in live:
                if said.completion is not None:
                    new, prompt = said.completion.new_tokens, said.completion.prompt_tokens
                    self.meters.answered(live, prompt, new, time.perf_counter() - live.started)
                yield said
        except HarnessError as error:
            raise of_error(error) from error

    def streamed(
        self, words: Chat | Text, lives: Sequence[Live], *, logs: bool, usage: bool, prompts: Sequence[int]
    ) -> StreamingResponse:
        """Return pieces of all answers as they come, as server-sent events."""

        async def events() -> AsyncIterator[str]:
            completions: list[Completion] = []
            if isinstance(words, Chat):
                for index in range(len(lives)):
                    yield _event(words.begin(index))
            try:
                async for index, said in merged([self.heard(live) for live in lives]):
                    told = said.logs if logs else None
                    yield _event(words.piece(index, said.text, told, said.completion))
                    if said.completion is not None:
                        completions.append(said.completion)
            except Refused as refused:
                yield _event(refused.body)
                return
            finally:
                for live in lives:
                    live._driver.forget(live)
            if usage:
                yield _event(words.usage(usage_of(completions, sum(live_prompts(lives, prompts)))))
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")


def live_prompts(lives: Sequence[Live], firsts: Sequence[int]) -> list[int]:
    """Return the prompt tokens of the answers that stand for their prompts."""
    completions = [lives[place].stream.completion for place in firsts]
    return [completion.prompt_tokens for completion in completions if completion is not None]


async def merged(streams: Sequence[AsyncIterator[Said]]) -> AsyncIterator[tuple[int, Said]]:
    """Yield what any of several answers says, with its number."""
    if len(streams) == 1:  # without the tasks that several need, which cost as much as all else here
        async for piece in streams[0]:
            yield 0, piece
        return
    said: asyncio.Queue[tuple[int, Said] | BaseException | None] = asyncio.Queue()

    async def read(index: int, stream: AsyncIterator[Said]) -> None:
        try:
            async for piece in stream:
                said.put_nowait((index, piece))
            said.put_nowait(None)
        except Exception as error:  # noqa: BLE001  raised where it is read
            said.put_nowait(error)

    tasks = [asyncio.ensure_future(read(index, stream)) for index, stream in enumerate(streams)]
    try:
        left = len(tasks)
        while left:
            found = await said.get()
            if isinstance(found, BaseException):
                raise found
            if found is None:
                left -= 1
            else:
                yield found
    finally:
        for task in tasks:
            task.cancel()


async def unless_gone(http: HttpRequest, answer: Awaitable[Result]) -> Result:
    """Wait for an answer while the client does; give it up when the client leaves."""

    async def leaving() -> None:
        while (await http.receive())["type"] != "http.disconnect":
            pass

    working, left = asyncio.ensure_future(answer), asyncio.ensure_future(leaving())
    try:
        await asyncio.wait([working, left], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Refused("the client has left", 499)
        return await working
    finally:
        for task in (working, left):
            task.cancel()


def _event(body: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"
