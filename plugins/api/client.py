"""One endpoint: bodies out, answers back; asked again while that may help, and never faster than allowed."""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from harness import DataError, StageError, UsageError
from harness.files.json_files import read_sealed, write_sealed

AGAIN = (408, 409, 425, 429)  # and every 5xx
LONGEST_WAIT = 300.0  # seconds
SHOWN = 300  # characters of a server's own words


@dataclass(slots=True)
class Budget:
    """What may be spent, in tokens and in money, and what has been."""

    tokens: int | None = None
    money: float | None = None
    price_in: float = 0.0  # of a million tokens
    price_out: float = 0.0
    asked: int = 0
    answered: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def spent(self) -> float:
        """How much money the tokens so far cost."""
        return (self.asked * self.price_in + self.answered * self.price_out) / 1e6

    def count(self, usage: Mapping[str, Any]) -> None:
        """Add what an answer says it used."""
        with self._lock:
            self.asked += int(usage.get("prompt_tokens") or 0)
            self.answered += int(usage.get("completion_tokens") or 0)

    def require(self) -> None:
        """Stop before another request where the budget is spent."""
        hint = "what is answered is kept; with a larger budget the same command goes on"
        if self.tokens is not None and self.asked + self.answered >= self.tokens:
            raise StageError(f"the budget of {self.tokens:,} tokens is spent", hint=hint)
        if self.money is not None and self.spent >= self.money:
            raise StageError(f"the budget of {self.money:g} is spent, at {self.spent:.4g}", hint=hint)


class Endpoint:
    """An address that is asked with JSON. Calls may come from several threads."""

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        timeout: float = 120,
        tries: int = 6,
        backoff: float = 0.5,
        per_minute: float = 0,
        budget: Budget | None = None,
        cache: Path | None = None,
    ) -> None:
        if "@" in url:  # first, because a sentence about the address would print it
            raise UsageError("the endpoint's address holds a password", hint="model.key_variable names a key")
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"endpoint '{url}' is no http address", hint="such as http://localhost:8000/v1")
        self.url = url.rstrip("/")
        self.budget = budget or Budget()
        self.reused = 0
        self._key, self._timeout, self._tries, self._backoff = key, timeout, tries, backoff
        self._pause = 60 / per_minute if per_minute else 0.0
        self._turn = threading.Lock()
        self._next = 0.0
        self._cache = cache

    def ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a body, from the cache where it was asked before."""
        place = self._place(path, body)
        if place is not None and place.exists():
            with suppress(DataError):  # a damaged answer is asked for again
                kept = read_sealed(place)
                self.reused += 1
                return kept
        self.budget.require()
        answer = self._answer(path, body)
        self.budget.count(answer.get("usage") or {})
        if place is not None:
            write_sealed(place, answer)
        return answer

    def _place(self, path: str, body: Mapping[str, Any]) -> Path | None:
        """Return where the answer to a body is kept, by the hash of all that is asked, and of whom."""
        if self._cache is None:
            return None
        text = json.dumps([self.url, path, body], sort_keys=True, ensure_ascii=False)
        name = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return self._cache / name[:2] / f"{name}.json"

    def _answer(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        reason = ""
        for attempt in range(self._tries):
            self._take_turn()
            try:
                return self._once(path, body)
            except urllib.error.HTTPError as error:
                said = _said(error)
                if error.code not in AGAIN and error.code < 500:
                    raise StageError(
                        f"{self.url}{path} refused a request: {error.code} {said}", hint=_hint(error.code)
                    ) from error
                reason, wait = f"{error.code} {said}", _wanted(error.headers.get("Retry-After"))
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                reason, wait = f"{type(error).__name__}: {error}", None
            if attempt + 1 < self._tries:
                # Together, many clients that failed together would fail together again.
                grown = self._backoff * 2**attempt * random.uniform(0.5, 1.5)
                time.sleep(min(LONGEST_WAIT, grown if wait is None else max(wait, grown)))
        raise StageError(
            f"{self.url}{path} gave no answer in {self._tries} tries: {reason}"[:400],
            hint="what is answered is kept; the same command asks the rest",
        )

    def _once(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "User-Agent": "assay"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=self._timeout) as reply:
            answer = json.loads(reply.read())
        first = (answer.get("choices") or [None])[0] if isinstance(answer, dict) else None
        if not isinstance(first, dict) or not (isinstance(first.get("message"), dict) or "text" in first):
            raise ValueError(f"an answer that is none: {str(answer)[:SHOWN]}")
        return dict(answer)

    def _take_turn(self) -> None:
        if not self._pause:
            return
        with self._turn:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._pause
        time.sleep(max(0.0, start - now))


def _said(error: urllib.error.HTTPError) -> str:
    """Return the server's own words for what went wrong."""
    try:
        text = error.read(4096).decode("utf-8", "replace")
        found = json.loads(text).get("error", text)
        words = found.get("message", found) if isinstance(found, dict) else found
    except (OSError, ValueError, AttributeError, http.client.HTTPException):
        words = error.reason
    return " ".join(str(words).split())[:SHOWN]


def _hint(code: int) -> str:
    return {
        401: "the key is read from the environment variable that model.key_variable names",
        403: "the key is read from the environment variable that model.key_variable names",
        404: "model.base_url ends before /chat/completions, and model.name is one that the server has",
    }.get(code, "")


def _wanted(header: str | None) -> float | None:
    """Return how many seconds a server asks to wait, told as a number or as a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
        except (ValueError, TypeError):
            return None
