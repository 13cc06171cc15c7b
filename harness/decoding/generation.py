"""Generate completions for requests: what model plugins call."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from harness.api.errors import UsageError
from harness.api.example import Completion, Request
from harness.api.run import RunContext
from harness.api.spec import GenerateSpec

from .engine import Engine
from .jobs import Decode, Encode
from .settings import check

HEARTBEAT = 1.0  # seconds between signs of life where nothing ends


def generate(
    model: Any,
    tokenizer: Any,
    requests: Sequence[Request],
    spec: GenerateSpec,
    run: RunContext,
    *,
    encode: Encode | None = None,
    decode: Decode | None = None,
) -> Iterator[Completion]:
    """Yield one completion a request, each as soon as it is finished, longest prompts first.

    `model` is a transformers model, decoder-only or encoder-decoder, with or without adapters and
    quantisation; it is used where it is and in the precision it has. `encode` turns a request into
    `input_ids` and whatever else the model takes with a prompt; `decode` turns tokens into text.
    """
    check(spec)
    if not requests:
        return
    engine = Engine(model, tokenizer, spec, encode=encode, decode=decode, interactive=False)
    manner = engine.manner(spec)
    engine.submit_all(requests, manner)
    recheck = Recheck(spec, requests)
    run.progress.start("generating", total=len(requests), unit="requests")
    told = time.perf_counter()
    try:
        with engine.lm.evaluating():
            while engine.busy:
                ended = engine.step()
                if ended or time.perf_counter() - told > HEARTBEAT:
                    told = time.perf_counter()
                    run.progress.advance(len(ended), **{"tokens/s": engine.rate, "queue": len(engine.queue)})
                for stream in ended:
                    completion = stream.result()
                    recheck.remember(completion)
                    yield completion
        recheck.ask(model, tokenizer, run, encode, decode)
    finally:
        run.progress.finish()
        run.event(
            "decoding",
            decoder=manner.decoder,
            requests=len(requests),
            precision=engine.lm.precision,
            device=str(engine.lm.device),
            **engine.facts(),
            **manner.facts(),
            **recheck.facts,
        )


class Recheck:
    """Decodes some requests again, each alone, and tells how many answers their batches had changed."""

    def __init__(self, spec: GenerateSpec, requests: Sequence[Request]) -> None:
        count = spec.options.get("recheck", 0)
        if not isinstance(count, int) or count < 0:
            raise UsageError(f"generate.options.recheck is {count!r}; it must be a number of answers")
        step = max(1, len(requests) // count) if count else 1
        self.requests = requests[::step][:count]  # spread over the file
        self.texts: dict[str, str | None] = {request.id: None for request in self.requests}
        self.spec = replace(spec, deterministic=True, options={**spec.options, "recheck": 0})
        self.facts: dict[str, Any] = {}

    def remember(self, completion: Completion) -> None:
        """Keep a text that will be compared."""
        if completion.request_id in self.texts:
            self.texts[completion.request_id] = completion.text

    def ask(
        self, model: Any, tokenizer: Any, run: RunContext, encode: Encode | None, decode: Decode | None
    ) -> None:
        """Decode what was chosen again, and count what differs."""
        if not self.requests:
            return
        silent = RunContext(run.directory, run.spec)
        again = generate(model, tokenizer, self.requests, self.spec, silent, encode=encode, decode=decode)
        changed = sum(completion.text != self.texts[completion.request_id] for completion in again)
        self.facts = {"rechecked": len(self.requests), "changed_by_batch": changed}
        run.event("note", text=f"{changed} of {len(self.requests)} answers differ when each is decoded alone")
