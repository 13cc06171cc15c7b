"""Requests that join and leave while others run, each by its own settings, get the answers they get alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import Completion, GenerateSpec, Request, RunContext, StageError, UsageError, decoding
from harness.api.session import QueueFull
from harness.decoding import Engine, Stream

from .conftest import requests_of
from .test_memory import OUT_OF_MEMORY, SmallMachine
from .test_models import bart, mistral

WAYS: list[dict[str, Any]] = [
    {},
    {"decoder": "sampling", "seed": 1},
    {"decoder": "sampling", "temperature": 1.4, "top_p": 0.9, "seed": 2},
    {"decoder": "sampling", "top_k": 5, "min_p": 0.05, "n_best": 3},
    {"decoder": "sampling", "top_k": 5, "temperature": 0.7, "stop": ("e",)},
    {"num_beams": 3, "n_best": 2},
    {"num_beams": 3, "length_penalty": 0.0, "min_new_tokens": 4},
    {"decoder": "contrastive", "top_k": 3, "penalty_alpha": 0.3},
    {"decoder": "contrastive", "top_k": 2},
    {"repetition_penalty": 1.4, "max_new_tokens": 9},
    {"stop": ("5", "a"), "min_new_tokens": 2},
]


def spec_of(number: int) -> GenerateSpec:
    return GenerateSpec(**{"max_new_tokens": 16} | WAYS[number % len(WAYS)])


def alone(model: Any, tokenizer: Any, request: Request, spec: GenerateSpec) -> Completion:
    """Return the answer to a request that is decoded alone by the batch path."""
    run = RunContext(None, None)  # type: ignore[arg-type]
    [completion] = decoding.generate(model, tokenizer, [request], spec, run)
    return completion


def finish(engine: Engine) -> None:
    while engine.busy:
        engine.step()


@pytest.fixture(scope="session")
def expected(llama: Any, t5: Any, tokenizer: Any) -> dict[str, list[Completion]]:
    asked = requests_of(2 * len(WAYS))
    return {
        name: [alone(model, tokenizer, request, spec_of(n)) for n, request in enumerate(asked)]
        for name, model in (("llama", llama), ("t5", t5))
    }


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_different_settings_share_a_batch(
    name: str, tokenizer: Any, expected: dict[str, list[Completion]], request: pytest.FixtureRequest
) -> None:
    engine = Engine(request.getfixturevalue(name), tokenizer)
    streams = [engine.submit(asked, spec_of(n)) for n, asked in enumerate(requests_of(2 * len(WAYS)))]
    finish(engine)
    assert [stream.result() for stream in streams] == expected[name]
    # greedy, sampled and beam-searched texts stand in one batch, contrastive ones in another
    assert engine.steps < 4 * 16


@pytest.mark.parametrize("name", ["llama", "t5"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_coming_and_going_changes_no_answer(
    name: str,
    data: st.DataObject,
    tokenizer: Any,
    expected: dict[str, list[Completion]],
    request: pytest.FixtureRequest,
) -> None:
    asked = requests_of(2 * len(WAYS))
    budget = data.draw(st.sampled_from(["auto", "60", "300"]))
    engine = Engine(request.getfixturevalue(name), tokenizer, GenerateSpec(batch_tokens=budget))
    streams: dict[int, Stream] = {}
    given_up: set[int] = set()
    said: dict[int, str] = {}
    for number in data.draw(st.permutations(range(len(asked)))):
        streams[number] = engine.submit(asked[number], spec_of(number))
        for _ in range(data.draw(st.integers(0, 3))):
            engine.step()
        if data.draw(st.booleans()) and engine.holds(streams[number]):
            streams[number].cancel()
            given_up.add(number)
        for n, stream in streams.items():
            said[n] = said.get(n, "") + stream.take()
    finish(engine)
    for number, stream in streams.items():
        if number in given_up:
            assert stream.completion is None
        else:
            assert stream.result() == expected[name][number]
            assert said[number] + stream.take() == expected[name][number].text


@pytest.mark.parametrize("make", [bart, mistral], ids=["absolute positions", "sliding window"])
def test_models_whose_rows_start_together_take_requests_while_others_run(make: Any, tokenizer: Any) -> None:
    model, asked = make(), requests_of(8)
    spec = GenerateSpec(max_new_tokens=24, min_new_tokens=12)
    engine = Engine(model, tokenizer)
    first = engine.submit(asked[0], spec)
    engine.step()
    others = []
    for request in asked[1:]:
        others.append(engine.submit(request, spec))
        engine.step()
        assert first.completion is None
    finish(engine)
    for request, stream in zip(asked, [first, *others], strict=True):
        assert stream.result() == alone(model, tokenizer, request, spec)


def test_a_stream_can_be_iterated(llama: Any, tokenizer: Any) -> None:
    engine = Engine(llama, tokenizer)
    spec = GenerateSpec(max_new_tokens=16, min_new_tokens=16)
    streams = [engine.submit(request, spec) for request in requests_of(3)]
    pieces = list(streams[1])
    assert len(pieces) > 4 and "".join(pieces) == streams[1].result().text
    assert "".join(streams[2]) == streams[2].result().text  # it ended while another was iterated


class Letters:
    """A decoder of tokens as characters, some of which need two tokens, as bytes of UTF-8 do."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces

    def __call__(self, tokens: Sequence[int]) -> str:
        return b"".join(self.pieces[token % len(self.pieces)] for token in tokens).decode(errors="replace")


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from(["a", "b", "ab", " ", "é", "药", "🧪"])
        .map(str.encode)
        .flatmap(lambda char: st.sampled_from([char, char[:1], char[1:] or char])),
        min_size=2,
        max_size=12,
    ),
    stop=st.lists(st.text("ab ", min_size=1, max_size=3), max_size=2),
    seed=st.integers(0, 5),
)
def test_pieces_put_together_are_the_text(
    pieces: list[bytes], stop: list[str], seed: int, llama: Any, tokenizer: Any
) -> None:
    engine = Engine(llama, tokenizer, decode=Letters(pieces))
    [request] = requests_of(1, seed=seed)
    spec = GenerateSpec(max_new_tokens=20, min_new_tokens=12, stop=tuple(stop))
    stream = engine.submit(request, spec)
    shown = ""
    for piece in stream:
        shown += piece
        assert not any(end in shown for end in stop) or stream.completion is not None
    assert shown == stream.result().text


def test_what_may_become_a_stop_string_is_held_back() -> None:
    from harness.decoding.stream import Unfolding

    unfolding = Unfolding(lambda tokens: "".join(map(chr, tokens)), ("END", "\n\n"))
    shown = [unfolding.sure([ord(char) for char in "a EN.\nb\nEND"[: n + 1]]) for n in range(11)]
    assert shown == ["a", " ", "", "", "EN.", "", "\nb", "", "\n", "", ""]


def tokens_read(model: Any) -> tuple[list[int], Any]:
    """Return a list that grows by the tokens, padding included, of each forward, and the hook to remove."""
    read: list[int] = []

    def note(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        read.append(kwargs["input_ids"].numel())

    return read, model.register_forward_pre_hook(note, with_kwargs=True)


SHARED = "The system prompt that all of these requests begin with, letter by letter. " * 2


def test_equal_beginnings_are_read_once(llama: Any, tokenizer: Any) -> None:
    asked = [Request(r.id, SHARED + r.prompt) for r in requests_of(6)]
    spec = GenerateSpec(max_new_tokens=1)
    wanted = [alone(llama, tokenizer, request, spec) for request in asked]
    for interactive in (True, False):
        engine = Engine(llama, tokenizer, interactive=interactive)
        read, hook = tokens_read(llama)
        try:
            streams = [engine.submit(request, spec) for request in asked]
            finish(engine)
        finally:
            hook.remove()
        assert [stream.result() for stream in streams] == wanted
        assert engine.shared_tokens == 5 * len(SHARED)
        assert sum(read) < 4 * len(SHARED)  # of 6, and one row is read again to know the rounding


def test_the_batch_path_reads_nested_beginnings_once(
    llama: Any, tokenizer: Any, run: RunContext, events: list[tuple[str, dict[str, Any]]]
) -> None:
    draw = random.Random(0)
    papers = ["".join(draw.choices("abcdef ", k=70)) for _ in range(3)]
    asked = [
        Request(f"{n}/{place}", SHARED[:70] + paper + str(n))
        for n in range(3)
        for place, paper in enumerate(papers)
    ]
    spec = GenerateSpec(max_new_tokens=8)
    found = {c.request_id: c for c in decoding.generate(llama, tokenizer, asked, spec, run)}
    facts = dict(events)["decoding"]
    assert facts["prompt_tokens_shared"] >= 2 * 70 + 6 * 140
    assert facts["prompts_by_length"] == {"<=256": 9}
    for request in asked:
        assert found[request.id] == alone(llama, tokenizer, request, spec)


def test_the_next_turn_goes_on_from_what_was_read_and_said(llama: Any, tokenizer: Any) -> None:
    engine = Engine(llama, tokenizer)
    spec = GenerateSpec(max_new_tokens=8, min_new_tokens=8)
    first = engine.submit(Request("1", SHARED), spec)
    finish(engine)
    turns = Request("2", SHARED + first.result().text + " and then?")
    second = engine.submit(turns, spec)
    finish(engine)
    assert engine.shared_tokens >= len(SHARED)
    assert second.result() == alone(llama, tokenizer, turns, spec)


def test_a_long_prompt_does_not_keep_short_ones_waiting(
    llama: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.decoding.engine.PIECES", {"cpu": 32})
    engine = Engine(llama, tokenizer, GenerateSpec(batch_tokens="300"))
    spec = GenerateSpec(max_new_tokens=8)
    asked = [Request("long", "x" * 240), *requests_of(12, longest=10)]
    engine.submit(asked[0], GenerateSpec(max_new_tokens=16, min_new_tokens=16))
    shorts = [engine.submit(request, spec) for request in asked[1:]]
    read, hook = tokens_read(llama)
    try:
        steps = 0
        while any(stream.completion is None for stream in shorts[:2]):
            engine.step()
            steps += 1
        assert steps <= 8 + 4  # they neither wait for 240 tokens to be read nor for 16 to be said
        finish(engine)
    finally:
        hook.remove()
    whole = [len(request.prompt) for request in asked]
    assert all(tokens <= 64 or tokens in range(240, 257) for tokens in read), (read, whole)


def test_a_long_prompt_is_not_passed_for_ever(llama: Any, tokenizer: Any) -> None:
    engine = Engine(llama, tokenizer, GenerateSpec(batch_tokens="300"))
    spec = GenerateSpec(max_new_tokens=8)
    feeder = iter(requests_of(400, longest=10))
    for _ in range(4):
        engine.submit(next(feeder), spec)
    engine.step()
    long = engine.submit(Request("long", "x" * 240), spec)
    for request in feeder:
        engine.submit(request, spec)
        engine.step()
        if long.completion is not None:
            break
    assert long.completion is not None
    finish(engine)


def test_a_full_queue_says_so(llama: Any, tokenizer: Any) -> None:
    engine = Engine(llama, tokenizer, most_waiting=2)
    spec = GenerateSpec(max_new_tokens=2)
    streams = [engine.submit(request, spec) for request in requests_of(2)]
    with pytest.raises(QueueFull, match="2 requests wait already"):
        engine.submit(Request("third", "C"), spec)
    finish(engine)
    assert all(stream.result() for stream in streams)


def test_a_request_that_was_given_up_frees_its_rows(llama: Any, tokenizer: Any) -> None:
    engine = Engine(llama, tokenizer, GenerateSpec(batch_tokens="120"))
    spec = GenerateSpec(max_new_tokens=60, min_new_tokens=60)
    asked = [Request(str(n), "CCO") for n in range(2)]
    running, waiting = (engine.submit(request, spec) for request in asked)
    for _ in range(3):
        engine.step()
    assert len(engine.queue) == 1
    running.cancel()
    engine.step()
    assert len(engine.queue) == 0 and engine.running == 1
    waiting.cancel()
    assert not engine.busy
    engine.step()  # with nothing to do


def test_settings_that_cannot_be_are_refused_at_once(llama: Any, tokenizer: Any) -> None:
    engine = Engine(llama, tokenizer)
    with pytest.raises(UsageError, match="min_new_tokens is above"):
        engine.submit(Request("a", "C"), GenerateSpec(max_new_tokens=1, min_new_tokens=2))
    assert not engine.busy


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_running_out_of_memory_changes_no_answer(
    name: str, tokenizer: Any, expected: dict[str, list[Completion]], request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    engine = Engine(model, tokenizer)
    with SmallMachine(model, 200, OUT_OF_MEMORY[0]) as machine:
        streams = [engine.submit(asked, spec_of(n)) for n, asked in enumerate(requests_of(2 * len(WAYS)))]
        finish(engine)
    assert machine.failures > 0
    assert [stream.result() for stream in streams] == expected[name]


def test_a_request_that_does_not_fit_alone_fails_alone(llama: Any, tokenizer: Any) -> None:
    engine = Engine(llama, tokenizer)
    spec = GenerateSpec(max_new_tokens=4)
    with SmallMachine(llama, 60, OUT_OF_MEMORY[0]):
        large = engine.submit(Request("large", "x" * 100), spec)
        small = engine.submit(Request("small", "CCO"), spec)
        finish(engine)
    with pytest.raises(StageError, match="request 'large'"):
        large.result()
    assert small.result() == alone(llama, tokenizer, Request("small", "CCO"), spec)


def test_samples_of_one_request_read_its_prompt_once(llama: Any, tokenizer: Any) -> None:
    read, hook = tokens_read(llama)
    try:
        engine = Engine(llama, tokenizer)
        engine.submit(Request("a", "x" * 200), GenerateSpec(decoder="sampling", n_best=8, max_new_tokens=1))
        finish(engine)
    finally:
        hook.remove()
    assert sum(read) == 200


def test_a_training_model_is_asked_in_evaluation_mode(llama: Any, tokenizer: Any) -> None:
    model = torch.nn.Module.train(llama)
    try:
        engine = Engine(model, tokenizer)
        engine.submit(Request("a", "C"), GenerateSpec(max_new_tokens=1))
        engine.step()
        assert not model.training
    finally:
        llama.eval()
