"""What `/metrics` tells: requests, queue, tokens, time to the first token, errors."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .driver import Live

FIRST_TOKEN = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Meters:
    """The numbers of one server."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, running: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "assay_requests", "Requests by route and status", ["route", "status"], registry=self.registry
        )
        self.tokens = Counter("assay_tokens", "Tokens by kind", ["kind"], registry=self.registry)
        self.first_token = Histogram(
            "assay_time_to_first_token_seconds",
            "Time to the first text of an answer",
            registry=self.registry,
            buckets=FIRST_TOKEN,
        )
        self.seconds = Histogram(
            "assay_answer_seconds", "Time to the end of an answer", registry=self.registry
        )
        Gauge("assay_queue", "Requests that wait or run", registry=self.registry).set_function(running)

    def answered(self, live: Live, prompt: int, new: int, seconds: float) -> None:
        """Count an answer that has ended."""
        self.tokens.labels("prompt").inc(prompt)
        self.tokens.labels("generated").inc(new)
        self.seconds.observe(seconds)
        if live.first is not None:
            self.first_token.observe(live.first)

    def page(self) -> bytes:
        """Return what Prometheus reads."""
        text: bytes = generate_latest(self.registry)
        return text
