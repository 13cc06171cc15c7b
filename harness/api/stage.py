"""What a stage of training offers: an entry that is cheap to list, and a class imported when chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .rows import TrainPair, TrainRow


@dataclass(frozen=True, slots=True)
class StageEntry:
    """A way of learning on the shelf. `target` is a `"package.module:Class"` of `harness.training.Stage`.

    `rows` are the kinds of rows it learns from; one training has one of them. `task` names the task that
    brings such rows, for where none is named. `inputs` are the checkpoints that it needs beside the one it
    goes on from: what each is for -> the stage that makes it, or nothing where it must be named.
    `begins` tells whether it may begin a model from nothing, `answers` whether what it leaves can be asked.
    `facts` are what it measures on validation rows beside the loss, of which more is better and by which
    the best step may be selected.
    """

    name: str
    summary: str
    target: str
    rows: tuple[type[TrainRow], ...] = (TrainPair,)
    task: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    begins: bool = False
    answers: bool = True
    facts: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
