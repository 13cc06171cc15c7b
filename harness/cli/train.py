"""`train`: the same matrix as `run`, stopped earlier."""

from __future__ import annotations

from typing import Any

from .run import add_run_verb, run

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    add_run_verb(
        subparsers,
        "train",
        "Train a model on a task and print where the checkpoint is.",
        "run-bench train --model toy --task toy --max-steps 2",
    )
