"""How far a cell is, told from its files alone: nothing is locked, trained or asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.api.run import RunRecord
from harness.files.json_files import read_sealed

from .chain import answering, given
from .matrix import Cell
from .prepared import Bench, Prepared
from .run_dir import CHECKPOINT, newest
from .runner import finished_record


@dataclass(frozen=True, slots=True)
class Standing:
    """The key of each stage of training with its newest directory, and the run that is finished, if it is.

    `open` are the keys of what is left to do: cells that share one cannot work at the same time.
    """

    stages: tuple[tuple[str, Path | None], ...] = ()
    open: frozenset[str] = frozenset()
    directory: Path | None = None
    record: RunRecord | None = None


def standing(bench: Bench, cell: Cell) -> Standing:
    """Look at what there is of a cell."""
    prepared = Prepared(bench, cell)
    folder = cell.spec.model.replace("/", "-")
    keys = [key for key, _, _ in prepared.trainings()]
    stages = tuple((key, newest(bench.output / "trained" / folder, key)) for key in keys)
    untrained = frozenset(key for key, place in stages if place is None or not (place / CHECKPOINT).exists())
    if untrained:
        return Standing(stages, untrained)
    place = stages[answering(bench, prepared)][1] if stages else None
    weights = given(prepared).digest if place is None else str(read_sealed(place / CHECKPOINT)["digest"])
    key = prepared.key(weights)
    directory = newest(bench.output / cell.spec.task / folder, key)
    record = None if directory is None else finished_record(directory, prepared)
    return Standing(stages, frozenset() if record else frozenset({key}), directory, record)
