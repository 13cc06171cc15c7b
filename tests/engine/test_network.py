"""Connections are refused while strangers load and under --offline, in this process and in what it starts."""

from __future__ import annotations

import _socket
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness import UsageError
from harness.engine.network import forbidden

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("host", ["192.0.2.1", "127.0.0.1"])
def test_no_connection_is_made_while_it_is_forbidden(host):
    with socket.socket() as own, forbidden("because"), pytest.raises(UsageError) as refused:
        _socket.socket.connect(own, (host, 9))  # below what the tests themselves watch
    assert refused.value.message == f"a connection to {host} was refused: because"


def test_names_are_not_looked_up_and_datagrams_not_sent():
    with forbidden("because"), pytest.raises(UsageError, match=r"to example\.org was refused"):
        _socket.getaddrinfo("example.org", 80)
    with (
        socket.socket(type=socket.SOCK_DGRAM) as own,
        forbidden("because"),
        pytest.raises(UsageError, match=r"192\.0\.2\.1"),
    ):
        own.sendto(b"x", ("192.0.2.1", 9))


def test_no_other_way_to_send_a_datagram_or_to_look_up_a_name_is_left():
    with forbidden("because"), pytest.raises(UsageError, match=r"to example\.org was refused"):
        socket.gethostbyname("example.org")
    with (
        socket.socket(type=socket.SOCK_DGRAM) as own,
        forbidden("because"),
        pytest.raises(UsageError, match=r"192\.0\.2\.1"),
    ):
        own.sendmsg([b"x"], [], 0, ("192.0.2.1", 9))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1", "0.0.0.0", None])
def test_this_machine_has_many_names(host):
    with forbidden("because", loopback=True):
        sys.audit("socket.getaddrinfo", host, 80, 0, 0, 0)


@pytest.mark.parametrize("host", ["localhost.example.org", "127.example.org", "::12", "10.0.0.1", "host"])
def test_a_name_that_only_begins_like_this_machine_is_another(host):
    with forbidden("because", loopback=True), pytest.raises(UsageError, match="was refused: because"):
        sys.audit("socket.getaddrinfo", host, 80, 0, 0, 0)


def test_what_is_connected_may_be_written_to():
    one, other = socket.socketpair()
    with one, other, forbidden("because"):
        one.sendmsg([b"x"])
        assert other.recv(1) == b"x"


def test_one_reason_that_ends_leaves_the_others():
    with forbidden("outer"):
        with forbidden("inner"):
            pass
        with pytest.raises(UsageError, match="was refused: outer"):
            sys.audit("socket.getaddrinfo", "example.org", 80, 0, 0, 0)


def test_this_machine_itself_may_be_left_reachable():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.socket() as own, forbidden("because", loopback=True):
            own.connect(server.getsockname())


def test_what_was_forbidden_for_a_while_is_allowed_again():
    with forbidden("because"):
        pass
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.socket() as own:
            own.connect(server.getsockname())


def test_offline_is_for_good_and_reaches_the_libraries():
    program = """
import os, socket
from harness.engine.stage import go_offline
go_offline()
print(os.environ["HF_HUB_OFFLINE"], os.environ["TRANSFORMERS_OFFLINE"], os.environ["HF_DATASETS_OFFLINE"])
try:
    socket.create_connection(("192.0.2.1", 9), timeout=1)
except Exception as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "1 1 1",
        "a connection to 192.0.2.1 was refused: --offline was asked for",
    ], done.stderr
