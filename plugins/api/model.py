"""The model plugin: requests as bodies of chat or completions, answers and log-likelihoods out of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from harness import (
    Checkpoint,
    Completion,
    GenerateSpec,
    ModelPlugin,
    ModelSession,
    Request,
    RunContext,
    UsageError,
)
from harness.api.bounds import HOW, OneOf, Range

from .client import Budget, Endpoint

UNLIKELY = -100.0  # of a letter that is not among the likeliest tokens a server names
Count = Annotated[int, Range(least=1), HOW]


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """Which endpoint, which of its models, and how it may be asked."""

    base_url: str = ""  # such as https://api.openai.com/v1 or http://localhost:8000/v1
    name: str = ""  # the endpoint's name of the model
    kind: Annotated[str, OneOf("chat", "completions")] = "chat"
    system: str = ""  # a message of the system before each request
    key_variable: Annotated[str, HOW] = "OPENAI_API_KEY"  # the environment variable that holds the key
    at_once: Count = 8  # requests under way
    per_minute: Annotated[float, Range(least=0), HOW] = 0.0  # requests; 0: as many as it takes
    timeout: Annotated[float, Range(above=0), HOW] = 120.0  # seconds
    tries: Count = 6
    backoff: Annotated[float, Range(least=0), HOW] = 0.5  # seconds before the second try; doubled then
    budget_tokens: Annotated[int | None, Range(least=1), HOW] = None  # in and out together
    budget: Annotated[float | None, Range(above=0), HOW] = None  # of money, by the two prices
    price_in: Annotated[float, Range(least=0), HOW] = 0.0  # of a million tokens
    price_out: Annotated[float, Range(least=0), HOW] = 0.0
    cache: Annotated[str, HOW] = ""  # a folder that keeps answers for further runs


class Api(ModelPlugin):
    """A model behind an address."""

    Options = ApiOptions

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> ModelSession:
        """Connect to nothing yet; the first request does."""
        options: ApiOptions = self.options
        if checkpoint is not None:
            raise UsageError("model 'api' takes no checkpoint", hint="--set model.name=NAME")
        if not options.base_url or not options.name:
            missing = "base_url" if not options.base_url else "name"
            example = "http://localhost:8000/v1" if missing == "base_url" else "NAME"
            raise UsageError(f"model.{missing} is not set", hint=f"--set model.{missing}={example}")
        return ApiSession(options)


class ApiSession(ModelSession):
    """An endpoint that is asked by several requests at a time."""

    def __init__(self, options: ApiOptions) -> None:
        self.options = options
        self.endpoint = Endpoint(
            options.base_url,
            os.environ.get(options.key_variable, ""),
            timeout=options.timeout,
            tries=options.tries,
            backoff=options.backoff,
            per_minute=options.per_minute,
            budget=Budget(options.budget_tokens, options.budget, options.price_in, options.price_out),
            cache=Path(options.cache) if options.cache else None,
        )

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer requests, each as soon as the endpoint has."""
        settings = self._settings(spec)

        def ask(request: Request) -> Completion:
            seed = {"seed": spec.seed_of(request.id)} if spec.decoder == "sampling" else {}
            return self._answered(request, settings | seed, spec)

        return self._asked("asking", requests, run, ask)

    def choose(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Score choices: each echoed after its prompt, or letters by the likeliest tokens."""
        ask = self._chosen_by_echo if self.options.kind == "completions" else self._chosen_by_letter
        return self._asked("scoring choices", requests, run, ask)

    def perplexity(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Say how likely the endpoint finds each text, by its echo."""
        return self._asked("reading", requests, run, self._echoed)

    def _asked(
        self, what: str, requests: Sequence[Request], run: RunContext, ask: Callable[[Request], Completion]
    ) -> Iterator[Completion]:
        run.progress.start(what, total=len(requests), unit="requests")
        pool = ThreadPoolExecutor(self.options.at_once)
        try:
            waiting: list[Future[Completion]] = [pool.submit(ask, request) for request in requests]
            failed: BaseException | None = None
            for done in as_completed(waiting):
                if (error := done.exception() if not done.cancelled() else None) is not None:
                    failed = failed or error
                    for other in waiting:  # what is under way is awaited: it may have cost money
                        other.cancel()
                elif not done.cancelled():
                    run.progress.advance(1)
                    yield done.result()
            if failed is not None:
                raise failed
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            run.progress.finish()
            run.event("model", **self._facts())

    def _facts(self) -> dict[str, Any]:
        budget = self.endpoint.budget
        return {
            "endpoint": self.endpoint.url,
            "name": self.options.name,
            "speaks": self.options.kind,
            "tokens_in": budget.asked,
            "tokens_out": budget.answered,
            "cost": round(budget.spent, 6),
            "from_cache": self.endpoint.reused,
        }

    def _answered(self, request: Request, settings: dict[str, Any], spec: GenerateSpec) -> Completion:
        choice, usage = self._ask(request, settings)
        text = choice.get("text") if self.options.kind == "completions" else choice["message"].get("content")
        thought = (choice.get("message") or {}).get("reasoning_content")
        if thought and len(spec.reasoning) == 2:
            text = f"{spec.reasoning[0]}{thought}{spec.reasoning[1]}{text or ''}"
        finish = choice.get("finish_reason") or "stop"
        return Completion(
            request.id,
            text or "",
            finish if finish in ("stop", "length") else "stop",
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
            notes=() if finish in ("stop", "length") else (finish.replace("_", "-"),),
        )

    def _ask(self, request: Request, settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        body: dict[str, Any] = {"model": self.options.name, **settings}
        if self.options.kind == "completions":
            body["prompt"] = self._plain(request)
        else:
            body["messages"] = self._messages(request)
        answer = self.endpoint.ask(self._path, body)
        return answer["choices"][0], answer.get("usage") or {}

    @property
    def _path(self) -> str:
        return "/completions" if self.options.kind == "completions" else "/chat/completions"

    def _plain(self, request: Request) -> str:
        said = [message.text for message in request.messages]
        return "\n".join([*([self.options.system] if self.options.system else []), *said, request.prompt])

    def _messages(self, request: Request) -> list[dict[str, str]]:
        turns = [(message.role, message.text) for message in request.messages]
        turns += [("user", request.prompt)] if request.prompt or not turns else []
        system = [("system", self.options.system)] if self.options.system else []
        return [{"role": role, "content": text} for role, text in (*system, *turns)]

    def _settings(self, spec: GenerateSpec) -> dict[str, Any]:
        """Return the settings of generation in the endpoint's words; what has none there is refused."""
        if spec.decoder not in ("greedy", "sampling") or spec.num_beams > 1 or spec.n_best > 1:
            raise UsageError(
                "an endpoint generates greedily or by sampling, one text a request",
                hint="--set generate.decoder=greedy",
            )
        if spec.constraint or spec.min_new_tokens:
            raise UsageError("an endpoint knows no constraint and no shortest length")
        sampled = spec.decoder == "sampling"
        found: dict[str, Any] = {
            "max_tokens": spec.max_new_tokens,
            "temperature": spec.temperature if sampled else 0,
        }
        if sampled:
            found["top_p"] = spec.top_p
            found |= {name: getattr(spec, name) for name in ("top_k", "min_p") if getattr(spec, name)}
        if spec.repetition_penalty != 1:
            found["repetition_penalty"] = spec.repetition_penalty
        if spec.stop:
            found["stop"] = list(spec.stop)
        return found

    def _chosen_by_echo(self, request: Request) -> Completion:
        prompt = self._plain(request)
        joint = "" if prompt[-1:].isspace() else " "
        scores, read = [], 0
        for choice in request.choices:
            text = choice if choice[:1].isspace() else joint + choice
            logs, asked = self._logs_of(prompt + text)
            scores.append(math.fsum(log for place, log in logs if place >= len(prompt)))
            read += asked
        best = request.choices[max(range(len(scores)), key=scores.__getitem__)]
        notes = ("scored-by-echo",)
        return Completion(request.id, best, "choice", read, choice_scores=tuple(scores), notes=notes)

    def _echoed(self, request: Request) -> Completion:
        if self.options.kind != "completions":
            raise UsageError(
                "only completions echo a text with its log-likelihood", hint="--set model.kind=completions"
            )
        logs, asked = self._logs_of(request.prompt)
        total = math.fsum(log for _, log in logs)
        return Completion(request.id, "", prompt_tokens=asked, log_likelihood=total, new_tokens=len(logs))

    def _logs_of(self, text: str) -> tuple[list[tuple[int, float]], int]:
        """Return where each token of a text begins, with its log-likelihood; the first has none.

        Beside them stands how many tokens the endpoint has read.
        """
        body = {"model": self.options.name, "prompt": text, "max_tokens": 1, "temperature": 0}
        answer = self.endpoint.ask(self._path, {**body, "echo": True, "logprobs": 1})
        found = answer["choices"][0].get("logprobs") or {}
        places, logs = found.get("text_offset") or [], found.get("token_logprobs") or []
        if not places or len(places) != len(logs):
            raise UsageError(
                f"{self.endpoint.url} gives no log-likelihoods of what it echoes",
                hint="--set task.ask=letter asks for the letter instead",
            )
        rows = zip(places, logs, strict=True)
        asked = int((answer.get("usage") or {}).get("prompt_tokens") or 0)
        return [(place, log) for place, log in rows if log is not None and place < len(text)], asked

    def _chosen_by_letter(self, request: Request) -> Completion:
        if any(len(choice) > 1 for choice in request.choices):
            raise UsageError(
                "a chat endpoint scores letters, not whole choices",
                hint="--set task.ask=letters, or letter to read it out of the answer",
            )
        settings = {"max_tokens": 1, "temperature": 0, "logprobs": True, "top_logprobs": 20}
        choice, usage = self._ask(request, settings)
        content = ((choice.get("logprobs") or {}).get("content") or [{}])[0]
        named: dict[str, float] = {}
        for token in content.get("top_logprobs") or []:
            letter = str(token["token"]).strip()
            named[letter] = max(named.get(letter, UNLIKELY), float(token["logprob"]))
        if not named:
            raise UsageError(
                f"{self.endpoint.url} names no likeliest tokens",
                hint="--set task.ask=letter asks for the letter",
            )
        scores = tuple(named.get(letter, UNLIKELY) for letter in request.choices)
        notes = ["scored-by-top-tokens"]
        notes += ["letter-not-among-top-tokens"] if not set(request.choices) <= set(named) else []
        best = request.choices[max(range(len(scores)), key=scores.__getitem__)]
        asked = int(usage.get("prompt_tokens") or 0)
        return Completion(request.id, best, "choice", asked, choice_scores=scores, notes=tuple(notes))
