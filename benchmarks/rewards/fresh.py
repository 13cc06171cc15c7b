"""Requests of `design/constraints` that nobody has looked at: another seed of the task's own generator."""

from __future__ import annotations

import json
from pathlib import Path

from harness.chem.constraints import as_meta
from harness.tasks.design.sample import drawn

SPLITS = ("train", "validation", "test")


def write_requests(folder: Path, seed: int, *, train: int, validation: int, test: int) -> Path:
    """Write rows of one's own, half of validation and of test of combinations unseen in training."""
    if all((folder / f"{split}.jsonl").exists() for split in SPLITS):
        return folder
    halves = {"validation": validation // 2, "test": test // 2}
    sizes = {split: {"seen": half, "unseen": half} for split, half in halves.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in drawn(seed, {"train": {"seen": train}, **sizes}).items():
        lines = [
            {
                "id": row.id,
                "constraints": as_meta(row.constraints),
                "answer": row.answer,
                "combination": row.combination,
            }
            for row in rows
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return folder
