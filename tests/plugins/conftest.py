"""How tests of models ask them: opened once, asked, closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from harness import Checkpoint, Completion, GenerateSpec, ModelPlugin, Request, RunContext

Asks = Callable[
    [ModelPlugin, Checkpoint | None, Sequence[Request], GenerateSpec, RunContext], list[Completion]
]


def asking(way: str) -> Asks:
    def ask(
        model: ModelPlugin,
        checkpoint: Checkpoint | None,
        asked: Sequence[Request],
        spec: GenerateSpec,
        run: RunContext,
    ) -> list[Completion]:
        with model.open(checkpoint, run) as session:
            return list(getattr(session, way)(asked, spec, run))

    return ask


@pytest.fixture
def ask_all() -> Asks:
    """Return a function that opens a model and lets it answer requests."""
    return asking("generate")


@pytest.fixture
def chosen() -> Asks:
    """Return a function that opens a model and lets it choose."""
    return asking("choose")
