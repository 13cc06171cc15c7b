"""What every request passes before a route sees it: who asks, how much it sends, and how long it may take."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .asked import Limits
from .problems import Refused, of_error

logger = logging.getLogger(__name__)
COOKIE = "assay_token"
LOCAL = ("localhost", "127.0.0.1", "::1")
BODY_SECONDS = 20.0
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


class Guard:
    """Wraps an application."""

    def __init__(self, app: ASGIApp, token: str, limits: Limits, count: Callable[[str, int], None]) -> None:
        self.app, self.token, self.limits, self.count = app, token, limits, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = ended = False

        async def counted(message: Message) -> None:
            nonlocal begun, ended
            ended = begun and not message.get("more_body")
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                self.count(_route(scope), message["status"])
            await send(message)

        try:
            async with asyncio.timeout(self.limits.seconds):
                self._check(scope)
                if (entry := self._entry(scope)) is not None:
                    await entry(scope, receive, counted)
                    return
                await self.app(scope, await self._with_body(scope, receive), counted)
        except Refused as refused:
            if not begun:
                await refused.response()(scope, receive, counted)
        except TimeoutError:
            if begun:
                raise  # the connection is closed: what was sent is not whole
            late = Refused("the request took too long", 503, kind="server_error", code="timeout")
            await late.response()(scope, receive, counted)
        except Exception:
            logger.exception("%s failed", _route(scope))
            if not begun:
                await of_error(Exception()).response()(scope, receive, counted)
            elif not ended:
                raise  # as above

    def _check(self, scope: Scope) -> None:
        """Refuse strangers: without the token, from another page, or under another name."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if (origin := headers.get("origin")) is not None and urlsplit(origin).netloc != host:
            raise Refused("requests from other pages are not answered", 403, kind="permission_error")
        if not self.token:
            if urlsplit(f"//{host}").hostname not in LOCAL:  # a name that was bent to this machine
                raise Refused("this server answers to localhost", 403, kind="permission_error")
        elif not self._knows_token(headers) and not self._asks_to_enter(scope):
            raise Refused(
                "the token is missing or wrong",
                401,
                kind="authentication_error",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _knows_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return True
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return False
        return COOKIE in cookies and self._is_token(cookies[COOKIE].value)

    def _asks_to_enter(self, scope: Scope) -> bool:
        """Tell whether the page is opened by its address with the token, as it is printed at the start."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return scope["method"] == "GET" and scope["path"] == "/" and self._is_token(given)

    def _entry(self, scope: Scope) -> RedirectResponse | None:
        """Take the token out of the address and into a cookie."""
        if not self.token or not self._asks_to_enter(scope):
            return None
        reply = RedirectResponse("/", 303)
        reply.set_cookie(COOKIE, self.token, httponly=True, samesite="strict")
        return reply

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())

    async def _with_body(self, scope: Scope, receive: Receive) -> Receive:
        """Read the body, in time and within its limit, and return what hands it on."""
        length = Headers(scope=scope).get("content-length", "0")
        most = self.limits.paper if scope["path"] == "/papers" else self.limits.body
        if not length.isdigit() or int(length) > most:
            raise _too_large(most)
        body = b""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused("the client has left", 400)
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise _too_large(most)
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            raise Refused("the body came too slowly", 408, code="timeout") from None
        handed = False

        async def again() -> Message:
            nonlocal handed
            if not handed:
                handed = True
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()

        return again


def _too_large(most: int) -> Refused:
    return Refused(f"the body is larger than {most} bytes", 413, code="body_too_large")


def _route(scope: Scope) -> str:
    """Name a route as it was declared: what a stranger makes up is no label."""
    route = scope.get("route")
    return str(getattr(route, "path", "other"))
