"""A server that strangers may reach: they get nothing, cost nothing, and learn nothing."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Completion, ModelSession

from .conftest import Live, llama, openai, serving

ASK = {"model": "tiny", "messages": [{"role": "user", "content": "CCO"}]}
TOKEN = "of-a-test"


def call(live: Live, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=30)
    try:
        data = json.dumps(body) if isinstance(body, dict) else body
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, data, {"content-type": "application/json"} | given)
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def locked(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(llama(weights), tmp_path_factory.mktemp("locked"), token=TOKEN) as found:
        yield found


@pytest.mark.parametrize(
    "path", ["/", "/health", "/ready", "/metrics", "/v1/models", "/openapi.json", "/docs", "/nothing"]
)
def test_a_token_guards_every_route(locked: Live, path: str) -> None:
    for given in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic x"},
        {"cookie": "assay_token=x"},
    ):
        status, _, body = call(locked, "GET", path, **given)
        assert status == 401 and json.loads(body)["error"]["code"] == "invalid_api_key"
    assert call(locked, "GET", path, authorization=f"Bearer {TOKEN}")[0] in (200, 404)


def test_the_official_client_shows_the_token(locked: Live) -> None:
    assert locked.client(TOKEN).chat.completions.create(**ASK).choices
    with pytest.raises(openai.AuthenticationError):
        locked.client("wrong").chat.completions.create(**ASK)


def test_other_pages_and_other_names_are_turned_away(live: Live) -> None:
    assert call(live, "POST", "/v1/chat/completions", ASK, origin="http://evil.example")[0] == 403
    assert call(live, "GET", "/v1/models", host="evil.example")[0] == 403
    status, headers, _ = call(live, "OPTIONS", "/v1/models", origin=live.url)
    assert status == 405 and "access-control-allow-origin" not in headers


def test_large_bodies_are_refused_before_they_are_read(live: Live) -> None:
    status, _, body = call(live, "POST", "/v1/completions", "x", content_length=str(10**9))
    assert status == 413 and "2097152 bytes" in json.loads(body)["error"]["message"]
    with socket.create_connection(("127.0.0.1", live.port), 30) as raw:
        raw.sendall(b"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            for _ in range(40):
                raw.sendall(b"20000\r\n" + b"x" * 0x20000 + b"\r\n")
        except OSError:
            pass  # the server has hung up
        assert b" 413 " in raw.recv(100)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "not JSON"),
        ('{"a": NaN}', ""),
        ("[1]", ""),
        ("[" * 100_000, "the body cannot be read"),
        ("\xff", "the body cannot be read"),
        ("", ""),
        ('{"model": "tiny", "messages": [{"role": "user", "content": "\\ud800"}]}', "half of a character"),
    ],
)
def test_broken_bodies_get_one_sentence(live: Live, body: str, said: str) -> None:
    status, _, text = call(live, "POST", "/v1/chat/completions", body.encode("latin-1"))
    error = json.loads(text)["error"]
    assert status == 400 and said in error["message"] and error["type"] == "invalid_request_error"
    assert "Traceback" not in text.decode()


def test_json_under_another_name_is_refused(live: Live) -> None:
    status, _, text = call(live, "POST", "/v1/chat/completions", ASK, content_type="text/plain")
    assert status == 400 and "sent as application/json" in json.loads(text)["error"]["message"]


def test_slow_requests_are_closed(weights: Path, tmp_path: Path) -> None:
    with serving(llama(weights), tmp_path, header_seconds=0.3) as live:
        with socket.create_connection(("127.0.0.1", live.port), 30) as raw:
            raw.sendall(b"GET /health HTTP/1.1\r\nhost: local")
            started = time.monotonic()
            assert raw.recv(100) == b"" and time.monotonic() - started < 10
        assert call(live, "GET", "/health")[0] == 200


class Slow(ModelSession):
    """A session that answers when it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked = 0

    def generate(self, requests: Any, spec: Any, run: Any) -> Iterator[Completion]:
        self.asked += len(requests)
        self.go.wait(20)
        for request in requests:
            yield Completion(request.id, "done")


def test_a_full_server_says_when_to_come_again(tmp_path: Path) -> None:
    slow = Slow()
    with serving(lambda run: slow, tmp_path, waiting=1) as live:
        replies: list[int] = []

        def ask() -> None:
            status, headers, _ = call(live, "POST", "/v1/chat/completions", ASK)
            replies.append(status)
            if status == 429:
                assert int(headers["retry-after"]) >= 1

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
            time.sleep(0.1)
        slow.go.set()
        for thread in threads:
            thread.join()
        # the model's thread is inside its first asking, so the others are put to it afterwards
        assert replies.count(200) >= 2 and set(replies) <= {200, 429}


def test_a_request_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    slow = Slow()
    with serving(lambda run: slow, tmp_path, seconds=0.5) as live:
        status, _, body = call(live, "POST", "/v1/chat/completions", ASK)
        slow.go.set()
        assert status == 503 and json.loads(body)["error"]["code"] == "timeout"


def until(true: Any) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_rows(live: Live, stream: bool) -> None:
    body = json.dumps(ASK | {"max_tokens": 480, "stop": ["\x00none"], "stream": stream}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", live.port), 30) as raw:
        raw.sendall((head + "content-type: application/json\r\n\r\n").encode() + body)
        until(lambda: live.driver.running == 1)
    until(lambda: live.driver.running == 0 and not live.driver.engine.busy)
    assert live.driver.engine.new_tokens < 10**6


def test_what_streams_is_finished_when_the_server_ends(weights: Path, tmp_path: Path) -> None:
    with serving(llama(weights), tmp_path) as live:
        pieces = live.client().chat.completions.create(**ASK, max_tokens=100, stream=True)
        first = next(iter(pieces))
        assert first.choices[0].delta.role == "assistant"
        said: list[Any] = []
        reader = threading.Thread(target=lambda: said.extend(pieces))
        reader.start()
    reader.join(30)
    assert said[-1].choices[0].finish_reason in ("stop", "length")


def test_a_failing_model_says_so_without_its_stack(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(ModelSession):
        def generate(self, requests: Any, spec: Any, run: Any) -> Iterator[Completion]:
            raise RuntimeError("a secret of the model")

    with serving(lambda run: Broken(), tmp_path) as live:
        for _ in range(2):  # and goes on
            status, _, body = call(live, "POST", "/v1/chat/completions", ASK)
            assert status == 500 and b"secret" not in body and b"log says why" in body
    assert "a secret of the model" in caplog.text and "CCO" not in caplog.text


def test_a_failure_of_our_own_is_said_once_and_in_openais_shape(
    live: Live, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Any, text: str) -> Any:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(type(live.driver.session), "text_tokens", broken)
    status, headers, body = call(live, "POST", "/v1/completions", {"model": "tiny", "prompt": "CCO"})
    assert status == 500 and json.loads(body)["error"]["message"] == "the server failed; its log says why"
    assert headers["x-content-type-options"] == "nosniff"
    until(lambda: "a secret of the server" in caplog.text)
    assert call(live, "GET", "/health")[0] == 200
    assert [record.name for record in caplog.records].count("uvicorn.error") == 0 and "CCO" not in caplog.text


def test_metrics_tell_what_was_asked(live: Live) -> None:
    live.client().chat.completions.create(**ASK)
    page = call(live, "GET", "/metrics")[2].decode()
    assert 'assay_requests_total{route="/v1/chat/completions",status="200"}' in page
    for name in (
        "assay_queue",
        "assay_time_to_first_token_seconds_count",
        'assay_tokens_total{kind="generated"}',
    ):
        assert name in page
    assert 'route="/nothing' not in page
