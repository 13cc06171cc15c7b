"""A live server of a tiny model in a thread, and the official client that speaks to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import Checkpoint, GenerateSpec, ModelSession, RunContext, RunSpec

pytest.importorskip("fastapi")
openai = pytest.importorskip("openai")

SPEC = GenerateSpec(max_new_tokens=12)


@dataclass(slots=True)
class Live:
    """A server that runs, and its parts."""

    url: str
    port: int
    driver: Any
    app: Any

    def client(self, token: str = "none") -> Any:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=token, max_retries=0, timeout=60)


Serve = Callable[..., Any]


@contextmanager
def serving(
    open_session: Callable[[RunContext], ModelSession],
    folder: Path,
    spec: GenerateSpec = SPEC,
    token: str = "",
    adapters: dict[str, Path] | None = None,
    **limits: Any,
) -> Iterator[Live]:
    from harness.retrieval.words import Tfidf
    from harness.serving.app import application
    from harness.serving.asked import Limits
    from harness.serving.driver import Driver
    from harness.serving.papers import Papers
    from harness.serving.server import bound, server_of

    run = RunContext(folder, RunSpec("tiny", "", generate=spec, device="cpu"))
    kept = Limits(**{"grace_seconds": 5} | limits)
    driver = Driver("tiny", lambda: open_session(run), spec, run, kept.waiting, adapters)
    app = application({"tiny": driver}, kept, token, Papers(Tfidf))
    sock = bound("127.0.0.1", 0)
    server = server_of(app, [driver], kept)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not (driver.ready.is_set() and server.started) and driver.failed is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        port = sock.getsockname()[1]
        yield Live(f"http://127.0.0.1:{port}", port, driver, app)
    finally:
        server.should_exit = True
        thread.join(30)
        sock.close()


@pytest.fixture(scope="session")
def weights(tiny_llama: Path) -> Path:
    """The tiny Llama, with weights wide enough that prompts get different answers."""
    return tiny_llama


def llama(weights: Path) -> Callable[[RunContext], ModelSession]:
    from harness.language_models import LanguageModelPlugin

    return lambda run: LanguageModelPlugin().open(Checkpoint(weights), run)


@pytest.fixture(scope="session")
def live(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(llama(weights), tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture
def client(live: Live) -> Any:
    return live.client()
