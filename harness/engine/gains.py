"""What a stage of training brought: its own measures before its first step and after its last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.files.json_files import read_sealed
from harness.files.rows import read_rows

from .run_dir import CHECKPOINT

TRAIN_LOG = "train_log.jsonl"
LOSS = "loss"
PARTS = (LOSS, "chosen", "rejected")  # of measures that say more
OF_ROLLOUTS = ("reward", "kl")


def gains(directory: Path) -> list[dict[str, Any]]:
    """Return each measure of a finished stage with its value before and after; none where none was taken.

    Held-out rows are measured where `train.eval_every` is set. Of a stage that earns, the first and the last
    batch of its own answers are compared as well.
    """
    log = directory / TRAIN_LOG
    rows = [row for row in read_rows(log) if "step" in row] if log.exists() else []
    last = read_sealed(directory / CHECKPOINT)["step"]
    looks = {row["step"]: row["validation"] for row in rows if "validation" in row}
    rollouts = [row["rollout"] for row in rows if "rollout" in row and row["step"] <= last]
    found = _compared("held-out", looks[0], looks[last], _own(looks[0])) if {0, last} <= looks.keys() else []
    if len(rollouts) > 1:
        found += _compared("sampled", rollouts[0], rollouts[-1], OF_ROLLOUTS)
    return found


def _own(values: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(name for name in values if name not in PARTS) or (LOSS,)


def _compared(
    rows: str, before: Mapping[str, float], after: Mapping[str, float], names: tuple[str, ...]
) -> list[dict[str, Any]]:
    return [
        {"measure": name, "rows": rows, "before": before[name], "after": after[name]}
        for name in names
        if name in before and name in after
    ]
