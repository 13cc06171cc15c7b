"""OpenAI's routes: models, chat, completions, decisions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from harness.api.example import Request
from harness.api.session import Engine, Fit, ModelSession, Stream
from harness.api.spec import GenerateSpec

from .asked import most_tokens, request_of, spec_of
from .decisions import answers_of, requests_of
from .problems import Refused, of_error
from .replies import Chat, Text, usage_of
from .service import Answer, Service, Submit, unless_gone
from .wire import ChatRequest, CompletionRequest, DecisionRequest, ProblemReply, Reply, Settings

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemReply} for status in (400, 401, 403, 404, 408, 413, 429, 500, 503)
}


def routes(service: Service) -> APIRouter:
    """Return the routes of a service."""
    router = APIRouter(prefix="/v1", responses=PROBLEMS)

    @router.get("/models")
    async def models() -> dict[str, Any]:
        """Name the models."""
        return {"object": "list", "data": [_model(service, name) for name in service.names]}

    @router.get("/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        """Describe a model."""
        service.driver(name)
        return _model(service, name)

    @router.post("/chat/completions", response_model=Reply)
    async def chat(asked: ChatRequest, http: HttpRequest) -> Response:
        """Answer a conversation."""
        return await _chat(service, asked, http)

    @router.post("/completions", response_model=Reply)
    async def completions(asked: CompletionRequest, http: HttpRequest) -> Response:
        """Continue texts."""
        return await _complete(service, asked, http)

    @router.post("/decisions")
    async def decisions(asked: DecisionRequest, http: HttpRequest) -> dict[str, Any]:
        """Answer questions by how likely each answer is."""
        return await _decide(service, asked, http)

    return router


async def _chat(service: Service, asked: ChatRequest, http: HttpRequest) -> Response:
    driver, adapter = service.driver(asked.model)
    count = _check(service, asked)
    spec = spec_of(asked, driver.spec, most_tokens(asked), service.limits)
    logs = _chat_logs(asked)
    if asked.template is not None and asked.template not in driver.templates:
        known = ", ".join(driver.templates) or "its own alone"
        raise Refused(f"the model has no such template; it has {known}", param="template")
    fit: Fit = "shorten" if most_tokens(asked) is None else "refuse"
    requests = [request_of(number, asked.messages) for number in range(count)]
    lives = await service.submit(
        driver, [_chatted(request, spec, fit, logs, adapter, asked.template) for request in requests]
    )
    words = Chat(f"chatcmpl-{uuid.uuid4().hex}", asked.model, driver.session.token_text)
    if asked.stream:
        return service.streamed(words, lives, logs=logs is not None, usage=_tells_usage(asked), prompts=[0])
    answers = await service.whole(http, lives)
    choices = [
        words.choice(index, answer.text, answer.done, _without_end(answer) if logs is not None else None)
        for index, answer in enumerate(answers)
    ]
    prompts = answers[0].done.prompt_tokens
    return JSONResponse(words.whole(choices, usage_of([answer.done for answer in answers], prompts)))


async def _complete(service: Service, asked: CompletionRequest, http: HttpRequest) -> Response:
    driver, adapter = service.driver(asked.model)
    count, prompts = _check(service, asked), _prompts(asked)
    _check_completion(service, asked, len(prompts) * count)
    spec = spec_of(asked, driver.spec, asked.max_tokens, service.limits)
    fit: Fit = "shorten" if asked.max_tokens is None else "refuse"
    told = asked.logprobs is not None
    echo = bool(asked.echo) and told
    lives = await service.submit(
        driver,
        [
            _continued(number, prompt, spec, fit, asked.logprobs, echo, adapter)
            for prompt in prompts
            for number in range(count)
        ],
    )
    firsts = range(0, len(lives), count)
    words = Text(f"cmpl-{uuid.uuid4().hex}", asked.model, driver.session.token_text)
    if asked.stream:
        return service.streamed(words, lives, logs=told, usage=_tells_usage(asked), prompts=firsts)
    answers = await service.whole(http, lives)
    if asked.max_tokens == 0:
        answers = [_silent(answer) for answer in answers]
    choices = []
    for index, (answer, live) in enumerate(zip(answers, lives, strict=True)):
        shown = _text_of(prompts[index // count], driver.session) if asked.echo else ""
        logs = [*live.stream.prompt_logs, *answer.logs] if told else None
        choices.append(words.choice(index, shown + answer.text, answer.done, logs))
    read = sum(answers[place].done.prompt_tokens for place in firsts)
    return JSONResponse(words.whole(choices, usage_of([answer.done for answer in answers], read)))


async def _decide(service: Service, asked: DecisionRequest, http: HttpRequest) -> dict[str, Any]:
    driver, adapter = service.driver(asked.model)
    if adapter:
        raise Refused("decisions are the model's own, without an adapter", param="model")
    requests = requests_of(asked)
    try:
        done = await unless_gone(
            http,
            driver.call(lambda: list(driver.session.choose(requests, driver.spec, driver.run))),
        )
    except Exception as error:
        raise of_error(error) from error
    read = sum(completion.prompt_tokens for completion in done)
    return {
        "model": driver.name,
        "answers": answers_of(asked, done),
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read,
        },
    }


def _model(service: Service, name: str) -> dict[str, Any]:
    driver, adapter = service.names[name]
    told = {"id": name, "object": "model", "created": service.started, "owned_by": "assay"}
    if driver.notice:
        told["notice"] = dict(driver.notice)
    return told | {"adapter": adapter or None, "templates": list(driver.templates)}


def _check(service: Service, asked: Settings) -> int:
    """Return how many answers are asked for, and refuse more than may be."""
    count = asked.n or 1
    if count > service.limits.choices:
        raise Refused(f"this server gives {service.limits.choices} answers at a time", param="n")
    if asked.stream_options is not None and not asked.stream:
        raise Refused("stream_options go with stream", param="stream_options")
    return count


def _check_completion(service: Service, asked: CompletionRequest, answers: int) -> None:
    if answers > service.limits.choices:
        raise Refused(f"this server gives {service.limits.choices} answers at a time", param="prompt")
    if asked.echo and asked.stream:
        raise Refused("echo comes with whole answers alone", param="echo", code="unsupported_parameter")
    if asked.max_tokens == 0 and not asked.echo:
        raise Refused("max_tokens is 0, which only echo allows", param="max_tokens")


def _tells_usage(asked: Settings) -> bool:
    return bool(asked.stream_options and asked.stream_options.include_usage)


def _chat_logs(asked: ChatRequest) -> int | None:
    if asked.top_logprobs and not asked.logprobs:
        raise Refused("top_logprobs go with logprobs", param="top_logprobs")
    return (asked.top_logprobs or 0) if asked.logprobs else None


def _chatted(
    request: Request, spec: GenerateSpec, fit: Fit, logs: int | None, adapter: str, template: str | None
) -> Submit:
    def submit(session: ModelSession, engine: Engine) -> Stream:
        if template is None:
            return engine.submit(request, spec, fit=fit, logs=logs, adapter=adapter)
        tokens, ending = session.laid_out(request, spec, template)
        return engine.submit(request, ending, tokens=tokens, fit=fit, logs=logs, adapter=adapter)

    return submit


def _continued(
    number: int,
    prompt: str | list[int],
    spec: GenerateSpec,
    fit: Fit,
    logs: int | None,
    echo: bool,
    adapter: str,
) -> Submit:
    def submit(session: ModelSession, engine: Engine) -> Stream:
        request = Request(str(number), prompt if isinstance(prompt, str) else "")
        if type(session).engine is ModelSession.engine:  # it takes texts alone
            return engine.submit(request, spec, fit=fit, logs=logs, echo=echo, adapter=adapter)
        tokens = session.text_tokens(prompt) if isinstance(prompt, str) else prompt
        return engine.submit(request, spec, tokens=tokens, fit=fit, logs=logs, echo=echo, adapter=adapter)

    return submit


def _prompts(asked: CompletionRequest) -> Sequence[str | list[int]]:
    given = asked.prompt
    if isinstance(given, str):
        return [given]
    if isinstance(given[0], int):
        return [[token for token in given if isinstance(token, int)]]
    return [prompt for prompt in given if not isinstance(prompt, int)]


def _text_of(prompt: str | list[int], session: ModelSession) -> str:
    return prompt if isinstance(prompt, str) else "".join(map(session.token_text, prompt))


def _without_end(answer: Answer) -> list[Any]:
    """Return the log-probabilities of a chat's text, to which the token that ends it does not belong."""
    return answer.logs[:-1] if answer.done.finish == "stop" else answer.logs


def _silent(answer: Answer) -> Answer:
    """Take the one token away that was decoded to read the prompt."""
    return Answer("", [], replace(answer.done, new_tokens=0, finish="length"))
