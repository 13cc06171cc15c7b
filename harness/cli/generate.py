"""`generate`: the same matrix as `run`, stopped earlier."""

from __future__ import annotations

from typing import Any

from .run import add_run_verb, run

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    add_run_verb(
        subparsers,
        "generate",
        "Train if needed, generate, and print where the completions are; run scores them.",
        "run-bench generate --model toy --task toy --limit 5",
    )
