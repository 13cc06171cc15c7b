"""Listening: uvicorn with a limit on how slowly a request may come."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from harness.api.errors import UsageError

from .asked import Limits
from .driver import Driver


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that is bound, or say in a sentence why it cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(512)  # who comes before the server has started waits, and is not turned away
    except (OSError, OverflowError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{host}:{port} cannot be listened on: {reason}", hint="another --port, or 0 for any that is free"
        ) from error
    return sock


def server_of(app: ASGIApp, drivers: Iterable[Driver], limits: Limits) -> uvicorn.Server:
    """Return a server that stops at a signal, after what streams, and where a model cannot be opened."""
    config = uvicorn.Config(
        app,
        http=_protocol(limits.header_seconds),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(limits.grace_seconds),
        h11_max_incomplete_event_size=32 * 1024,
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    for driver in drivers:
        driver.on_failure = stop
    return server


def _protocol(seconds: float) -> type[Any]:
    class Timed(H11Protocol):
        """Closes a connection whose request does not come in time."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._begun = self.loop.call_later(seconds, self._close_if_idle)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._begun.cancel()
            elif self._begun.cancelled() or self._begun.when() < self.loop.time():
                self._begun = self.loop.call_later(seconds, self._close_if_idle)

        def connection_lost(self, exc: Exception | None) -> None:
            self._begun.cancel()
            super().connection_lost(exc)

        def _close_if_idle(self) -> None:
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return Timed
