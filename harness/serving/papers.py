"""Papers that the page asks about: held in memory while they are talked about, and never written anywhere."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from harness.api import HarnessError, MissingDependency, Retriever
from harness.papers import apart
from harness.papers.evidence import SHOWN, SearchedPaper, as_rows, marked_words, marks

from .problems import Refused, busy, of_error
from .wire import Wire

MOST = 16  # papers
MOST_BYTES = 256 * 2**20  # of all their files
AT_ONCE = 2  # files that are read or drawn
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Held:
    """A paper and the file that it was read from, for pictures of its pages."""

    searched: SearchedPaper
    data: bytes

    def facts(self, name: str) -> dict[str, Any]:
        """Return what the page says of it."""
        paper = self.searched.paper
        return {"id": name, "title": paper.title, "pages": len(paper.pages)}


class Papers:
    """The papers of a server, by names that nobody guesses; where there are too many the oldest go."""

    def __init__(self, open_retriever: Callable[[], Retriever]) -> None:
        self._open_retriever = open_retriever
        self._retriever: Retriever | None = None
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._lock = threading.Lock()
        self._working = threading.BoundedSemaphore(AT_ONCE)

    def add(self, data: bytes) -> str:
        """Read a paper and return its name."""
        paper = self._worked(lambda: apart.read_paper(data))
        with self._lock:
            self._retriever = self._retriever or self._open_retriever()
            name = secrets.token_urlsafe(16)
            self._held[name] = Held(SearchedPaper(paper, self._retriever), data)
            while len(self._held) > MOST or sum(len(one.data) for one in self._held.values()) > MOST_BYTES:
                self._held.popitem(last=False)
        return name

    def held(self, name: str) -> Held:
        """Return a paper by its name."""
        with self._lock:
            if name not in self._held:
                raise Refused("there is no such paper, or no longer; open it again", 404)
            self._held.move_to_end(name)
            return self._held[name]

    def forget(self, name: str) -> None:
        """Let a paper go."""
        with self._lock:
            self._held.pop(name, None)

    def drawn(self, name: str, page: int, ids: list[str]) -> bytes:
        """Return a page as PNG with passages marked, each with its place among them."""
        held = self.held(name)
        known = {one.id for one in held.searched.paper.paragraphs}
        if not 1 <= page <= len(held.searched.paper.pages) or not known.issuperset(ids):
            raise Refused("the paper has no such page or passage", 404)
        boxes = marks(held.searched.paper.named(ids)).get(page, [])
        return self._worked(lambda: apart.draw_page(held.data, page, boxes))

    def _worked(self, work: Callable[[], Result]) -> Result:
        """Have a child do something, where not too many are at work."""
        if not self._working.acquire(timeout=10):
            raise busy("as many papers are being read as may", 5)
        try:
            return work()
        finally:
            self._working.release()


class Question(Wire):
    """What the passages of a paper are asked for."""

    question: Annotated[str, Field(min_length=1, max_length=4000)]
    passages: Annotated[int, Field(ge=1, le=10)] = SHOWN


def routes(papers: Papers) -> APIRouter:
    """Return the routes of papers, which are the page's own."""
    router = APIRouter(prefix="/papers", include_in_schema=False)

    @router.post("")
    async def read(http: HttpRequest) -> dict[str, Any]:
        """Read the paper that is the body."""
        data = await http.body()
        try:
            name = await run_in_threadpool(papers.add, data)
        except HarnessError as error:
            raise _refused(error) from error
        return papers.held(name).facts(name)

    @router.get("/{name}")
    def facts(name: str) -> dict[str, Any]:
        """Say which paper it is."""
        return papers.held(name).facts(name)

    @router.delete("/{name}")
    def forget(name: str) -> dict[str, str]:
        """Forget a paper."""
        papers.forget(name)
        return {"status": "forgotten"}

    @router.post("/{name}/evidence")
    def evidence(name: str, asked: Question) -> dict[str, Any]:
        """Find the passages that may answer a question."""
        found = papers.held(name).searched.find(asked.question, asked.passages)
        return {"evidence": list(as_rows(found)), "marked": marked_words(asked.question)}

    @router.get("/{name}/pages/{page}")
    def picture(name: str, page: int, marked: str = "") -> Response:
        """Draw a page with passages marked."""
        try:
            return Response(
                papers.drawn(name, page, list(filter(None, marked.split(",")))), media_type="image/png"
            )
        except HarnessError as error:
            raise _refused(error) from error

    return router


def _refused(error: HarnessError) -> Refused:
    """Say what is wrong with a file, and what to do about it."""
    refused = of_error(error)
    hint = f" ({error.hint})" if error.hint else ""
    status = 501 if isinstance(error, MissingDependency) else refused.status
    return Refused(f"{refused.message}{hint}", status)
