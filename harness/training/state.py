"""The states of a training: what is needed to go on as if nothing had happened.

`state/step-N/` holds weights, optimizer, random numbers and `progress.json`. States are whole or
absent, are compared with their digests before use, and belong to one training: another model,
tokenizer, prompt, data or setting is refused with what differs.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from harness.api import DataError, UsageError
from harness.files import folders
from harness.files.json_files import read_json, write_json

PROGRESS = "progress.json"


@dataclass(slots=True)
class Position:
    """How far a training is. `updates` of `epoch` are done in the current `window` of rows."""

    step: int = 0
    epoch: int = 0
    window: int = 0
    updates: int = 0
    rows_before: int = 0  # rows of the epoch that lie before the window
    best: float | None = None
    best_step: int | None = None
    evaluations_since_best: int = 0
    stopped_early: bool = False
    splits: int = 1  # pieces that a micro-batch is cut into, after running out of memory
    tokens: int = 0
    seconds: dict[str, float] = field(default_factory=dict)  # spent on each part of the work

    def spend(self, what: str, seconds: float) -> None:
        """Note that a part of the work has taken so long."""
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds


class StateFolder:
    """The states of one training, newest last."""

    def __init__(self, directory: Path, identity: Mapping[str, Any], keep: int) -> None:
        self.directory = directory
        self.identity = json.loads(json.dumps(identity))
        self.keep = keep

    def steps(self) -> list[int]:
        """Steps of which a whole state is on disk."""
        return saved_steps(self.directory)

    def path(self, step: int) -> Path:
        """Return the folder of one state."""
        return self.directory / f"step-{step}"

    def newest(self) -> tuple[Path, Position] | None:
        """Return the newest undamaged state; a damaged one is passed over, another training's refused."""
        damage: DataError | None = None
        for step in reversed(self.steps()):
            path = self.path(step)
            try:
                folders.verify(path)
                facts = read_json(path / PROGRESS)
            except DataError as found:
                damage = damage or found
                continue
            self.refuse_others(facts["identity"], path)
            return path, Position(**facts["position"])
        if damage is not None:
            raise damage
        return None

    def refuse_others(self, identity: Mapping[str, Any], path: Path) -> None:
        """Raise unless a saved state belongs to this training, naming what differs."""
        differing = [
            f"{key} was {_short(identity.get(key))}, is {_short(self.identity.get(key))}"
            for key in sorted(set(identity) | set(self.identity))
            if identity.get(key) != self.identity.get(key)
        ]
        if differing:
            raise UsageError(
                f"{path} belongs to another training: {'; '.join(differing)}",
                hint="use another output folder, or remove this one to start over",
            )

    def write_progress(self, partial: Path, position: Position) -> None:
        """Write the part of a state that is not tensors."""
        facts = {"identity": self.identity, "position": asdict(position)}
        write_json(partial / PROGRESS, facts)

    def rotate(self, best_step: int | None) -> None:
        """Remove all but the newest `keep` states and the best one."""
        steps = self.steps()
        for step in steps[: -self.keep]:
            if step != best_step:
                shutil.rmtree(self.path(step))

    def clear(self) -> None:
        """Remove every state, once the result is on disk."""
        for path in self.directory.glob("step-*"):
            shutil.rmtree(path)


def saved_steps(directory: Path) -> list[int]:
    """Return the steps of which a whole state is in a folder, newest last."""
    found = (f.parent.name.removeprefix("step-") for f in directory.glob(f"step-*/{folders.MANIFEST}"))
    return sorted(int(step) for step in found if step.isdigit())


def random_state() -> dict[str, Any]:
    """Return the state of the generators that training draws from."""
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    return {"torch": torch.get_rng_state(), "cuda": cuda, "python": random.getstate()}


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Put the generators back to a saved state."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
