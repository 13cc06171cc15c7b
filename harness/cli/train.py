"""`train`: the same matrix as `run`, stopped earlier."""

from __future__ import annotations

from typing import Any

from .run import add_verb, run

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    add_verb(subparsers, "train", "Train a model on a task and print where the checkpoint is.")
