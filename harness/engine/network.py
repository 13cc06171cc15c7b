"""A switch that forbids network connections: while strangers' plugins load, and under `--offline`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.api.errors import UsageError

_reasons: list[tuple[str, bool]] = []  # (why, whether this machine itself may be talked to)
_installed = False

LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


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
    if not _reasons or event not in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        return
    if event == "socket.getaddrinfo":
        host = str(args[0] or "localhost")
    else:
        address = args[1]
        host = str(address[0]) if isinstance(address, tuple) else "localhost"  # a Unix socket's path
    for reason, loopback in _reasons:
        if not (loopback and host.startswith(LOOPBACK)):
            raise UsageError(f"a connection to {host} was refused: {reason}")
