"""What every verb that scores anew takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def add_data_arguments(group: Any) -> None:
    """Add where the rows of tasks and the vocabularies of metrics are."""
    group.add_argument(
        "--data", action="append", default=[], metavar="FOLDER", help="data of tasks; repeatable"
    )
    add_vocabulary(group)


def add_vocabulary(group: Any) -> None:
    """Add where the vocabularies of metrics are."""
    text = "a vocabulary that a metric names, or the folder that holds it"
    group.add_argument("--vocab", type=Path, metavar="PATH", help=text)
