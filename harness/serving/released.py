"""The routes of released servers, in their exact words: Mozi's two, and MedicalGPT's chat."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from harness.api.errors import UsageError
from harness.api.example import Request
from harness.api.session import Engine, ModelSession, Stream
from harness.api.spec import GenerateSpec
from harness.papers.evidence import PROMPT

from .asked import Limits, checked
from .problems import Refused
from .service import Service
from .wire import Wire, can_be_written


class ChatInput(Wire):
    """MedicalGPT's `POST /chat`."""

    input: Annotated[str, Field(min_length=1)]


def routes(service: Service) -> APIRouter:
    """Return the routes of a service; they ask its first model."""
    router = APIRouter()

    @router.post("/paper_ground_dialog", include_in_schema=False)
    async def paper(http: HttpRequest) -> Response:
        """Answer a question from evidence, as Mozi does."""

        def asked(body: Mapping[str, Any]) -> Request:
            inputs = {"evidence": "\n".join(_texts(body["evidences"])), "question": _text(body["question"])}
            return Request("0", PROMPT.render(inputs), inputs)

        return await _mozi(service, http, asked)

    @router.post("/emotional_dialog", include_in_schema=False)
    async def emotional(http: HttpRequest) -> Response:
        """Go on with a dialogue, as Mozi does."""
        end = _end_of_text(service.checked(service.first).session)

        def asked(body: Mapping[str, Any]) -> Request:
            return Request("0", end.join(_texts(body["history"])) + end + "Bot:")

        return await _mozi(service, http, asked)

    @router.post("/chat")
    async def chat(asked: ChatInput, http: HttpRequest) -> dict[str, str]:
        """Answer one question, as MedicalGPT does."""
        driver = service.checked(service.first)
        spec = replace(driver.spec, n_best=1)

        def submit(session: ModelSession, engine: Engine) -> Stream:
            return engine.submit(Request("0", asked.input), spec, fit="shorten")

        [answer] = await service.whole(http, await service.submit(driver, [submit]))
        return {"response": answer.text}

    return router


async def _mozi(service: Service, http: HttpRequest, asked: Any) -> Response:
    started = time.time()
    driver = service.checked(service.first)
    try:
        body = json.loads(await http.body())  # whatever its content type
        request, spec = asked(body), _spec(body, driver.spec, service.limits)
    except (Refused, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _reply("", started, ok=False, status=400)
    except LookupError:
        return _reply("", started, ok=False)
    if spec is None:
        return _reply("", started, ok=False)

    def submit(session: ModelSession, engine: Engine) -> Stream:
        return engine.submit(request, spec)

    try:
        [answer] = await service.whole(http, await service.submit(driver, [submit]))
    except (Refused, UsageError) as error:
        if isinstance(error, Refused) and error.status != 400:
            raise
        return _reply("", started, ok=False, status=400)
    return _reply(answer.text, started, ok=True)


def _spec(body: Mapping[str, Any], default: GenerateSpec, limits: Limits) -> GenerateSpec | None:
    """Return how an answer is decoded, or None where the method is none of Mozi's."""
    tokens = int(body["max_new_tokens"])
    if not 1 <= tokens <= limits.output:
        raise ValueError("too many tokens")
    ways: dict[str, dict[str, Any]] = {"greedy": {"num_beams": 1}}
    method = body["decoding_method"]
    if method == "sampling":
        ways[method] = {"top_k": int(body["top_k"]), "top_p": float(body["top_p"]), "num_beams": 1}
    elif method == "contrastive":
        alpha = float(body["penalty_alpha"])
        ways[method] = {"top_k": int(body["top_k"]), "penalty_alpha": alpha, "num_beams": 1}
    if not isinstance(method, str) or method not in ways:
        return None
    spec = replace(default, decoder=method, max_new_tokens=tokens, min_new_tokens=0, n_best=1, **ways[method])
    return checked(spec, limits)


def _reply(text: str, started: float, *, ok: bool, status: int = 200) -> Response:
    """Return what Flask wrote: keys in order, no spaces, escapes, a newline."""
    told = {"generation": text, "is_succ": ok, "time": time.time() - started}
    body = json.dumps(told, sort_keys=True, separators=(",", ":")) + "\n"
    return Response(body, status, media_type="application/json")


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list):
        raise TypeError("a list is expected")
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    if not isinstance(value, str) or not can_be_written(value):
        raise TypeError("a text is expected")
    return value


def _end_of_text(session: ModelSession) -> str:
    tokenizer = getattr(session, "tokenizer", None)
    return str(getattr(tokenizer, "eos_token", None) or "</s>")
