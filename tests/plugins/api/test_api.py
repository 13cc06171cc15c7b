"""An endpoint that is slow, busy, broken or rude is asked until it answers, and what it cannot do is said."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness import Completion, GenerateSpec, Message, Request, RunContext, RunSpec, StageError, UsageError
from harness.plugins.api.model import UNLIKELY, Api, ApiOptions

Reply = Callable[[dict[str, Any]], Any]
REQUESTS = [Request(str(n), f"question {n}?") for n in range(4)]


def said(text: str, **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop", **more}], "usage": usage}


class Server:
    """A small endpoint: each request takes the next of its faults, then the reply."""

    def __init__(self) -> None:
        self.faults: list[Any] = []
        self.reply: Reply = lambda body: said("yes: " + body["messages"][-1]["content"])
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.under_way = self.most = 0
        outer, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.asked.append(body | {"authorization": self.headers.get("Authorization")})
                    outer.paths.append(self.path)
                    fault = outer.faults.pop(0) if outer.faults else None
                    outer.under_way += 1
                    outer.most = max(outer.most, outer.under_way)
                if fault is not None:
                    with lock:
                        outer.under_way -= 1
                    fault(self)
                    return
                data = json.dumps(outer.reply(body)).encode()
                with lock:
                    outer.under_way -= 1
                self.send(200, data)

            def send(self, code: int, data: bytes, length: int | None = None, **headers: str) -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(data) if length is None else length))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: Any) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


def busy(code: int, **headers: str) -> Callable[[Any], None]:
    return lambda handler: handler.send(code, b'{"error": {"message": "not now"}}', **headers)


def malformed(handler: Any) -> None:
    handler.send(200, b'{"choices": [')


def nothing(handler: Any) -> None:
    handler.send(200, b'{"object": "error"}')


def truncated(handler: Any) -> None:
    handler.send(200, b'{"choices"', length=500)
    handler.close_connection = True


def slow(handler: Any) -> None:
    time.sleep(0.6)
    handler.send(200, json.dumps(said("late")).encode())


def hung_up(handler: Any) -> None:
    handler.close_connection = True
    handler.connection.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def ask(server: Server, tmp_path: Path, events: list[Any]) -> Callable[..., list[Completion]]:
    """Return a function that asks the server and returns completions in the order of the requests."""

    def run(what: str = "generate", requests: Any = REQUESTS, spec: Any = None, **options: Any) -> Any:
        settings = {"base_url": server.url, "name": "m", "backoff": 0.001, "timeout": 5.0} | options
        context = RunContext(
            tmp_path, RunSpec("api", "none"), event=lambda kind, **facts: events.append((kind, facts))
        )
        session = Api(ApiOptions(**settings)).open(None, context)
        found = list(getattr(session, what)(requests, spec or GenerateSpec(max_new_tokens=9), context))
        return sorted(found, key=lambda completion: completion.request_id)

    return run


@pytest.fixture
def events() -> list[Any]:
    return []


def test_every_request_is_answered_and_its_tokens_are_counted(ask, server, events):
    found = ask()
    assert [c.text for c in found] == [f"yes: question {n}?" for n in range(4)]
    assert {(c.prompt_tokens, c.new_tokens, c.finish) for c in found} == {(10, 5, "stop")}
    assert server.paths == ["/v1/chat/completions"] * 4
    assert server.asked[0]["temperature"] == 0 and server.asked[0]["max_tokens"] == 9
    facts = next(facts for kind, facts in events if kind == "model")
    assert (facts["tokens_in"], facts["tokens_out"]) == (40, 20)


@pytest.mark.parametrize(
    "fault",
    [busy(429), busy(500), busy(503), malformed, nothing, truncated, hung_up],
    ids=["429", "500", "503", "malformed", "nothing", "truncated", "hung-up"],
)
def test_what_may_pass_is_tried_again(fault, ask, server):
    server.faults = [fault, fault]
    found = ask(requests=REQUESTS[:1], at_once=1)
    assert found[0].text == "yes: question 0?"
    assert len(server.asked) == 3


def test_a_slow_answer_is_given_up_and_asked_for_again(ask, server):
    server.faults = [slow]
    assert ask(requests=REQUESTS[:1], timeout=0.2)[0].text == "yes: question 0?"


def test_the_server_s_own_wait_is_kept(ask, server, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr("harness.plugins.api.client.time.sleep", waited.append)
    server.faults = [busy(429, Retry_After="7")]
    ask(requests=REQUESTS[:1])
    assert waited == [7.0]


def test_a_wait_may_be_a_date_and_what_is_none_is_not_waited_for(ask, server, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr("harness.plugins.api.client.time.sleep", waited.append)
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    server.faults = [
        busy(503, Retry_After=soon),
        busy(429, Retry_After="soon"),
        busy(429, Retry_After="9999"),
    ]
    ask(requests=REQUESTS[:1])
    assert 25 < waited[0] <= 30 and waited[1] < 1 and waited[2] == 300


def test_requests_are_no_faster_than_allowed(ask, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr("harness.plugins.api.client.time.sleep", waited.append)
    ask(requests=REQUESTS[:3], per_minute=30, at_once=1)
    assert sum(waited) == pytest.approx(2 + 4, abs=0.5)


def test_several_requests_are_under_way_at_once(ask, server):
    def reply(body: Any) -> Any:
        time.sleep(0.05)
        return said("yes")

    server.reply = reply
    ask(requests=[Request(str(n), "?") for n in range(8)], at_once=4)
    assert 1 < server.most <= 4


@pytest.mark.parametrize(("code", "hint"), [(401, "key_variable"), (404, "base_url"), (400, "")])
def test_a_refusal_is_told_in_the_server_s_words_and_not_tried_again(code, hint, ask, server):
    server.faults = [busy(code)]
    with pytest.raises(StageError, match=f"refused a request: {code} not now") as refused:
        ask(requests=REQUESTS[:1])
    assert hint in refused.value.hint
    assert len(server.asked) == 1


def test_what_never_answers_is_given_up_and_what_was_answered_is_kept(ask, server):
    def reply(body: Any) -> Any:
        return said("yes") if "0" in body["messages"][0]["content"] else {"choices": []}

    server.reply = reply
    session_found: list[Completion] = []
    with pytest.raises(StageError, match="gave no answer in 2 tries"):
        context = RunContext(Path(), RunSpec("api", "none"))
        options = ApiOptions(base_url=server.url, name="m", backoff=0.001, tries=2, at_once=1)
        for completion in Api(options).open(None, context).generate(REQUESTS, GenerateSpec(), context):
            session_found.append(completion)
    assert [c.request_id for c in session_found] == ["0"]


def test_the_key_comes_from_the_environment_and_is_never_told(ask, server, monkeypatch, events):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    server.faults = [busy(401)]
    with pytest.raises(StageError) as refused:
        ask(requests=REQUESTS[:1], key_variable="MY_KEY")
    assert server.asked[0]["authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in str(refused.value) + refused.value.hint + str(events)
    with pytest.raises(UsageError, match="holds a password"):
        ask(base_url="https://me:secret@example.org/v1")


def test_a_budget_stops_cleanly(ask, server):
    with pytest.raises(StageError, match="budget of 30 tokens is spent"):
        ask(budget_tokens=30, at_once=1)
    assert len(server.asked) == 2
    with pytest.raises(StageError, match="budget of 1e-05 is spent"):
        ask(budget=1e-5, price_in=1.0, price_out=1.0, at_once=1)
    assert len(server.asked) == 3


def test_the_cache_knows_everything_that_matters(ask, server, tmp_path, events):
    cache = str(tmp_path / "cache")
    assert ask(cache=cache) == ask(cache=cache)
    assert len(server.asked) == 4
    ask(cache=cache, name="other")
    ask(cache=cache, system="Be brief.")
    ask(cache=cache, spec=GenerateSpec(max_new_tokens=10))
    assert len(server.asked) == 16
    assert [facts["from_cache"] for _, facts in events] == [0, 4, 0, 0, 0]


def test_a_damaged_answer_in_the_cache_is_asked_for_again(ask, server, tmp_path):
    said = ask(cache=str(tmp_path))
    kept = sorted(tmp_path.glob("*/*.json"))
    kept[0].write_text(kept[0].read_text().replace("content", "contemt", 1))
    kept[1].write_bytes(b"")
    assert ask(cache=str(tmp_path)) == said
    assert len(server.asked) == len(kept) + 2


def test_turns_and_settings_are_sent_in_the_endpoint_s_words(ask, server):
    request = Request("1", "And?", messages=(Message("user", "Hi?"), Message("assistant", "Yes.")))
    spec = GenerateSpec(decoder="sampling", temperature=0.7, top_p=0.9, top_k=5, stop=("\n",), seed=3)
    ask(requests=[request], spec=spec, system="Be brief.")
    sent = server.asked[0]
    assert [turn["role"] for turn in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert (sent["temperature"], sent["top_p"], sent["top_k"], sent["stop"]) == (0.7, 0.9, 5, ["\n"])
    for refused in (
        GenerateSpec(num_beams=3),
        GenerateSpec(decoder="contrastive"),
        GenerateSpec(constraint="smiles"),
    ):
        with pytest.raises(UsageError):
            ask(spec=refused)


def test_the_same_question_is_drawn_anew_for_each_request_and_the_cache_knows(ask, server, tmp_path):
    requests = [Request("1", "?"), Request("1#2", "?")]
    spec = GenerateSpec(decoder="sampling", seed=3)
    ask(requests=requests, spec=spec, cache=str(tmp_path))
    assert len(server.asked) == 2
    assert {body["seed"] for body in server.asked} == {spec.seed_of("1"), spec.seed_of("1#2")}
    ask(requests=requests, spec=spec, cache=str(tmp_path))
    assert len(server.asked) == 2


def test_thoughts_that_come_apart_are_put_between_the_tags(ask, server):
    server.reply = lambda body: {"choices": [{"message": {"content": "4", "reasoning_content": "2+2"}}]}
    found = ask(requests=REQUESTS[:1], spec=GenerateSpec(reasoning=("<think>", "</think>")))
    assert found[0].text == "<think>2+2</think>4"


def test_completions_score_choices_by_their_echo(ask, server):
    def reply(body: Any) -> Any:
        text = body["prompt"]
        places = list(range(0, len(text), 2))
        logs = [None, *(-float(place) for place in places[1:])]
        return {"choices": [{"text": text, "logprobs": {"text_offset": places, "token_logprobs": logs}}]}

    server.reply = reply
    request = Request("1", "12345", choices=("yes", "no"))
    (found,) = ask("choose", [request], kind="completions")
    assert found.choice_scores == (-6.0 - 8.0, -6.0)  # "12345 yes" in pieces of two, from the sixth sign on
    assert (found.text, found.notes) == ("no", ("scored-by-echo",))
    assert server.asked[0]["echo"] is True
    (read,) = ask("perplexity", [Request("1", "123456")], kind="completions")
    assert (read.log_likelihood, read.new_tokens) == (-6.0, 2)


def test_chat_scores_letters_by_the_likeliest_tokens(ask, server):
    top = [
        {"token": " B", "logprob": -0.1},
        {"token": "A", "logprob": -2.0},
        {"token": "The", "logprob": -3.0},
    ]
    server.reply = lambda body: said("B", logprobs={"content": [{"top_logprobs": top}]})
    request = Request("1", "?", choices=("A", "B", "C"))
    (found,) = ask("choose", [request])
    assert found.choice_scores == (-2.0, -0.1, UNLIKELY)
    assert found.notes == ("scored-by-top-tokens", "letter-not-among-top-tokens")
    with pytest.raises(UsageError, match="scores letters, not whole choices"):
        ask("choose", [Request("1", "?", choices=("yes", "no"))])
    server.reply = lambda body: said("B")
    with pytest.raises(UsageError, match="names no likeliest tokens"):
        ask("choose", [request])


def test_what_is_missing_is_said(ask):
    with pytest.raises(UsageError, match=r"model.name is not set"):
        ask(name="")
    with pytest.raises(UsageError, match=r"model.base_url is not set"):
        ask(base_url="")
    with pytest.raises(UsageError, match="no http address"):
        ask(base_url="localhost:8000")


def test_a_run_names_the_model_and_keeps_no_key(main, server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    done = main(
        *("--model", "api", "--task", "toy", "--limit", 3, "--quiet"),
        *("--set", f"model.base_url={server.url}", "--set", "model.name=org/big"),
    )
    assert done.code == 0, done.err
    assert "api:org/big" in done.out
    kept = [path.read_text() for path in tmp_path.rglob("*.json*")]
    assert kept and not any("sk-secret" in text for text in kept)
    (record,) = tmp_path.glob("runs/toy/api/*/record.json")
    assert json.loads(record.read_text())["environment"]["generation"]["model"]["tokens_in"] == 30
