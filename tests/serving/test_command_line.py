"""What `serve` refuses before it serves, in one sentence."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def test_a_port_in_use(main: Callable[..., Any], taken: int) -> None:
    done = main("serve", "--model", "toy", "--port", taken)
    assert done.code == 2 and f"127.0.0.1:{taken} cannot be listened on" in done.err
    assert "another --port" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--model", "toy", "--host", "0.0.0.0"], 2, "needs a token"),
        (["--model", "toy", "--port", "99999"], 2, "cannot be listened on"),
        (["--model", "toi"], 2, "did you mean toy?"),
        (["--model", "./nothing"], 4, "there is no model at nothing"),
        (["--model", "toy", "--checkpoint", "nowhere"], 4, "there is no checkpoint at nowhere"),
        (["--model", "toy", "--adapter", "sft"], 2, "--adapter sft is no NAME=PATH"),
        (["--model", "scimind"], 2, "this preset has no weights before training"),
        (["--model", "MINE", "--set", "model.template=vicuna2"], 2, "did you mean vicuna"),
        (["--model", "MINE", "--set", "model.template=chat"], 2, "has no chat template of its own"),
    ],
)
def test_what_cannot_be_served(
    main: Callable[..., Any], tiny_llama: Path, arguments: list[str], code: int, says: str
) -> None:
    given = [str(tiny_llama) if word == "MINE" else word for word in arguments]
    done = main("serve", *given, *([] if "--port" in given else ["--port", 0]))
    assert done.code == code and says in done.err and "Traceback" not in done.err
