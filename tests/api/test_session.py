"""A model that is open: what the shortest session does, what no session does by itself, and how it closes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    Answers,
    Completion,
    GenerateSpec,
    HarnessError,
    Message,
    ModelSession,
    PromptTokens,
    Request,
    RunContext,
    RunSpec,
    StageError,
    TokenLog,
    UsageError,
    until,
)
from harness.api.session import PromptTooLong, QueueFull

RUN = RunContext(Path(), RunSpec("m", "t"))
SPEC = GenerateSpec()


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda session: session.text_tokens("a"), "continuing a text"),
        (lambda session: session.token_text(3), "showing the text of tokens"),
        (lambda session: session.add_adapter("a", Path("a")), "adapters"),
        (lambda session: session.choose([Request("1", "p")], SPEC, RUN), "scoring choices by"),
        (lambda session: session.perplexity([Request("1", "p")], SPEC, RUN), "perplexity"),
    ],
)
def test_a_function_that_answers_can_do_nothing_else_and_says_so_with_its_own_name(
    ask: Callable[[ModelSession], object], what: str
) -> None:
    class Parrot(Answers):
        pass

    with pytest.raises(UsageError, match=f"Parrot does not support {what}"):
        ask(Parrot(lambda request: request.prompt))


def test_a_session_without_an_engine_is_served_one_request_after_another() -> None:
    assert Answers(str).engine(SPEC, most_waiting=3) is None


def test_answers_come_one_by_one_so_that_each_is_kept_before_the_next_is_asked() -> None:
    asked: list[str] = []

    def answer(request: Request) -> str:
        asked.append(request.id)
        return request.prompt

    said = Answers(answer).generate([Request("1", "a"), Request("2", "b")], SPEC, RUN)
    assert asked == []
    assert next(said) == Completion("1", "a")
    assert asked == ["1"]


def test_a_function_sees_all_that_a_request_holds() -> None:
    seen: list[Request] = []
    request = Request("1", "p", {"smiles": "C"}, ("x", "y"), (Message("user", "before"),))
    list(Answers(lambda given: seen.append(given) or "").generate([request], SPEC, RUN))  # type: ignore[func-returns-value]
    assert seen == [request]


def test_what_a_function_raises_is_not_hidden() -> None:
    def fails(request: Request) -> str:
        raise ZeroDivisionError(request.id)

    with pytest.raises(ZeroDivisionError, match="7"):
        list(Answers(fails).generate([Request("7", "p")], SPEC, RUN))


class Counted(ModelSession):
    """Counts how often it is closed."""

    def __init__(self) -> None:
        self.closed = 0

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        for request in requests:
            yield Completion(request.id, f"{run.spec.model} {spec.max_new_tokens}")

    def close(self) -> None:
        self.closed += 1


def test_one_session_is_asked_by_several_runs_each_in_its_own_way() -> None:
    other = RunContext(Path(), RunSpec("n", "t"))
    with Counted() as session:
        (first,) = session.generate([Request("1", "p")], GenerateSpec(max_new_tokens=5), RUN)
        (second,) = session.generate([Request("1", "p")], GenerateSpec(max_new_tokens=6), other)
        assert session.closed == 0
    assert (first.text, second.text, session.closed) == ("m 5", "n 6", 1)


def test_a_session_gives_itself_to_the_block_it_is_used_in() -> None:
    session = Counted()
    with session as used:
        assert used is session


def test_a_session_that_holds_nothing_needs_no_close() -> None:
    ModelSession().close()


@given(text=st.text("abc", max_size=12), stop=st.lists(st.text("abc", min_size=1, max_size=3), max_size=3))
def test_what_is_left_of_a_text_holds_no_stop_string_and_is_its_beginning(text: str, stop: list[str]) -> None:
    kept, how = until(text, stop)
    assert text.startswith(kept)
    assert not any(word in kept for word in stop)
    assert how == ("stop" if kept == text and not any(word in text for word in stop) else "stop-string")


def test_tokens_are_values() -> None:
    assert PromptTokens((1, 5), ("<s>", "a")).bos is None
    assert TokenLog(3, None) == TokenLog(3, None, ())
    assert TokenLog(3, -0.5, ((3, -0.5), (4, -1.5))).top[0] == (3, -0.5)


def test_a_full_queue_is_the_servers_fault_and_a_long_prompt_the_askers() -> None:
    assert issubclass(QueueFull, StageError)
    assert issubclass(PromptTooLong, UsageError)
    assert issubclass(QueueFull, HarnessError)
