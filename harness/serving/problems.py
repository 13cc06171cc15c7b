"""What is wrong with a request, in one sentence, OpenAI's error shape and the right status.

A sentence never repeats what was sent, but for the names of fields that are plain words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from harness.api.errors import DataError, HarnessError, UsageError
from harness.api.session import PromptTooLong, QueueFull

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")

TAGS = ("str", "bool", "int", "list", "predicate", "choice", "score")  # which of several types was tried


class Refused(Exception):
    """A request that is not answered."""

    def __init__(
        self,
        message: str,
        status: int = 400,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.kind = message, status, kind
        self.param, self.code, self.headers = param, code, dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """OpenAI's error shape."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """Return the reply."""
        return JSONResponse(self.body, self.status, headers=self.headers)


def busy(message: str, seconds: int = 1) -> Refused:
    """Return the answer of a server that has no room now."""
    return Refused(
        message, 429, kind="rate_limit_error", code="server_busy", headers={"Retry-After": str(seconds)}
    )


def of_error(error: Exception) -> Refused:
    """Return what an expected failure of the harness is to a client."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, UsageError | DataError):
        code = "context_length_exceeded" if isinstance(error, PromptTooLong) else None
        return Refused(error.message, code=code)
    if isinstance(error, HarnessError):
        if isinstance(error, QueueFull):
            return busy("as many requests wait as may")
        return Refused(error.message, 500, kind="server_error")
    return Refused("the server failed; its log says why", 500, kind="server_error")


def of_validation(errors: Sequence[Mapping[str, Any]]) -> Refused:
    """Return the first thing that a body has wrong; of alternatives, what went deepest is meant."""
    error = max(errors, key=lambda found: (found["type"] == "extra_forbidden", len(found["loc"])))
    path = [part for part in error["loc"] if part != "body"]
    names = [str(part) for part in path if isinstance(part, int) or PLAIN.fullmatch(part)]
    param = ".".join(name for name in names if name not in TAGS) or None
    if error["type"] in ("json_invalid", "json_type"):
        return Refused("the body is not JSON", code="invalid_json")
    if not path:
        return Refused("the body is no JSON object sent as application/json", code="invalid_json")
    if error["type"] == "extra_forbidden":
        known = bool(names) and names[-1] == path[-1]  # before it stand fields and types of ours
        what = f"field '{param}'" if known else "a field of the body"
        return Refused(
            f"{what} is not supported", param=param if known else None, code="unsupported_parameter"
        )
    if error["type"] == "missing":
        return Refused(f"field '{param}' is missing", param=param, code="missing_required_parameter")
    if error["type"] == "union_tag_invalid":  # whose message repeats what was sent
        return Refused(f"field '{param}': its type is none of those known", param=param)
    said = str(error["msg"])
    return Refused(f"field '{param}': {said[:1].lower()}{said[1:]}" if param else said, param=param)
