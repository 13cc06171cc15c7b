"""A switch that forbids network connections: while strangers' plugins load, and under `--offline`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

from harness.api.errors import UsageError

_reasons: list[tuple[str, bool]] = []  # (why, whether this machine itself may be talked to)
_installed = False

LOOKS_UP = ("socket.getaddrinfo", "socket.gethostbyname")
CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")


@contextmanager
def forbidden(reason: str, *, loopback: bool = False) -> Iterator[None]:
    """Refuse every connection in this process while the block runs."""
    _install()
    _reasons.append((reason, loopback))
    try:
        yield
    finally:
        _reasons.remove((reason, loopback))


def forbid(reason: str) -> None:
    """Refuse connections to other machines until the process ends."""
    _install()
    _reasons.append((reason, True))


def _install() -> None:
    global _installed
    if not _installed:  # an audit hook cannot be removed, so it is added once and only when wanted
        sys.addaudithook(_audit)
        _installed = True


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not _reasons or event not in LOOKS_UP + CONNECTS:
        return
    if event in LOOKS_UP:
        host = str(args[0] or "localhost")
    else:
        address = args[1]
        if address is None:  # what is connected was looked at then
            return
        host = str(address[0]) if isinstance(address, tuple) else "localhost"  # a Unix socket's path
    for reason, loopback in _reasons:
        if not (loopback and _is_here(host)):
            raise UsageError(f"a connection to {host} was refused: {reason}")


def _is_here(host: str) -> bool:
    """Whether a host is this machine itself; `localhost.example.org` is another."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified
