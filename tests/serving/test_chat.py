"""A conversation in the terminal: history, commands, Ctrl-C, one-shot questions and pipes."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import GenerateSpec, Request, RunContext, RunSpec, UsageError
from harness.cli import chat
from harness.files.visible import visible
from harness.serving.conversation import Conversation

from .conftest import llama

SPEC = GenerateSpec(max_new_tokens=8)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def session(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return llama(weights)(RunContext(tmp_path_factory.mktemp("chat"), RunSpec("tiny", "", device="cpu")))


@pytest.fixture
def conversation(session: Any) -> Conversation:
    return Conversation(session.engine(SPEC, 1), SPEC)


def scripted(*lines: Any) -> Callable[[str], str]:
    """Return a reader that types these lines, notes what each began with, and leaves."""
    left = list(lines)

    def read(default: str) -> str:
        began.append(default)
        if not left:
            raise EOFError
        line = left.pop(0)
        if isinstance(line, BaseException):
            raise line
        return str(line)

    began: list[str] = []
    read.began = began  # type: ignore[attr-defined]
    return read


def test_a_conversation_is_asked_with_its_history(conversation: Conversation, session: Any) -> None:
    conversation.system = "Short."
    first = "".join(conversation.ask("CCO"))
    second = "".join(conversation.ask("und 水?"))
    messages = tuple(conversation.turns[:2])
    assert [turn.text for turn in conversation.turns] == ["CCO", first, "und 水?", second]
    from harness import Message

    asked = Request("0", "und 水?", messages=(Message("system", "Short."), *messages))
    [wanted] = session.generate([asked], SPEC, session._run)
    assert second == wanted.text


def test_commands(conversation: Conversation, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    saved = tmp_path / "said.json"
    read = scripted(
        "CCO", KeyboardInterrupt(), "/system Kurz.", "N", "/undo", "/set temperature=0.5", "/set seed=3",
        f"/save {saved}", f"/save {saved}", "/set tempratur=1", "/sav", "/save", "/set temperature=-1",
        "/set", "/set processes=4", "/retry", "/help", "clear", "/undo", "exit", "never read",
    )  # fmt: skip
    chat.talk(conversation, read)
    out, err = capsys.readouterr()
    assert read.began[5] == "N" and len(read.began) == 20  # type: ignore[attr-defined]
    assert conversation.spec.decoder == "sampling" and conversation.spec.seed == 3
    kept = json.loads(saved.read_text(encoding="utf-8"))["messages"]
    assert [turn["role"] for turn in kept] == ["system", "user", "assistant"]
    for said in ("is there already", "did you mean temperature?", "/sav is no command", "/save needs a name",
                 "generate.temperature is -1", "nothing was said yet", "(a system prompt from now on)",
                 f"(2 messages are in {saved})", "(temperature=0.5, drawn by sampling)", "(seed=3)",
                 "there is no setting 'processes'", "(the conversation begins anew)"):  # fmt: skip
        assert said in err
    assert "temperature=0.5" in out and "precision" not in out and "Ctrl-C stops an answer" in out


def test_ctrl_c_stops_the_answer_alone(conversation: Conversation, capsys: Any) -> None:
    conversation.spec = GenerateSpec(max_new_tokens=400, min_new_tokens=400)
    pieces = 0
    with chat.stoppable() as stopped:
        for _ in conversation.ask("CCO", stopped):
            pieces += 1
            if pieces == 5:
                os.kill(os.getpid(), signal.SIGINT)
    assert pieces == 5 and not conversation.engine.busy
    assert len(conversation.turns) == 2 and len(conversation.turns[1].text) < 100
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)


def test_a_conversation_that_is_too_long_says_so(conversation: Conversation) -> None:
    with pytest.raises(UsageError, match="the model holds 512"):
        list(conversation.ask("x" * 600))
    assert conversation.turns == []


def command(weights: Path, *arguments: str) -> list[str]:
    program = [sys.executable, str(ROOT / "run_bench.py"), "chat", "--model", str(weights), "--device", "cpu"]
    return [*program, "--set", "generate.max_new_tokens=5", *arguments]


@pytest.mark.parametrize(("arguments", "piped"), [(["--ask", "CCO"], ""), ([], "CCO\n")])
def test_one_question(weights: Path, session: Any, arguments: list[str], piped: str) -> None:
    done = subprocess.run(
        command(weights, *arguments),
        input=piped,
        capture_output=True,
        text=True,
        check=True,
    )
    [wanted] = session.generate([Request("0", "CCO")], GenerateSpec(max_new_tokens=5), session._run)
    assert done.stdout == visible(wanted.text) + "\n"


def test_nothing_to_ask_is_said(run_bench: Any, weights: Path) -> None:
    done = run_bench("chat", "--model", weights)
    assert done.code == 2 and "there is nothing to ask" in done.err


@pytest.fixture
def terminal(weights: Path) -> Iterator[Callable[[str, str], str]]:
    """Return a function that types into a chat in a terminal and waits for what it shows."""
    pytest.importorskip("prompt_toolkit")
    leader, follower = pty.openpty()
    program = subprocess.Popen(
        command(weights),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
    )
    os.close(follower)
    shown = b""

    def type_in(keys: str, wanted: str) -> str:
        nonlocal shown
        start = len(shown)
        os.write(leader, keys.encode())
        deadline = time.monotonic() + 30
        while wanted.encode() not in shown[start:]:
            assert time.monotonic() < deadline, shown.decode(errors="replace")
            if not select.select([leader], [], [], 0.1)[0]:
                continue
            try:
                shown += os.read(leader, 65536)
            except OSError:  # the other side has left
                break
        return shown[start:].decode(errors="replace")

    try:
        type_in("", "says what can be done")
        yield type_in
    finally:
        program.kill()
        program.wait()
        os.close(leader)


def test_a_terminal(terminal: Callable[[str, str], str]) -> None:
    assert "分子" in terminal("分子 CCO\r", "(cut at 5 tokens)")
    assert "max_new_tokens=5" in terminal("/set\r", "seed=0")
    terminal("\x03", ">")  # the line is taken back, and the chat goes on
    assert "/clear" in terminal("/help\r", "stops an answer")
    terminal("/exit\r", "nothing more is shown")
