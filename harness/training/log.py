"""What a training leaves to look at: `train_log.jsonl`, its curves, and events for trackers."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import torch

from harness.files.rows import heal_rows, line_of, read_rows
from harness.files.writing import write

FLUSH_SECONDS = 1.0


class TrainLog:
    """Appends one JSON line a step; lines after the step that training goes on from are cut first.

    Without a path nothing is written: only the main process keeps the log.
    """

    def __init__(self, path: Path | None, *, resume_step: int) -> None:
        self._path = path
        self._out: BinaryIO | None = None
        self._flushed = time.monotonic()
        if path is not None and path.exists():
            heal_rows(path)
            write(path, b"".join(line_of(row) for row in read_rows(path) if 0 < resume_step >= row["step"]))

    def write(self, **facts: Any) -> None:
        """Append one line."""
        if self._path is None:
            return
        self._out = self._out or self._path.open("ab")
        self._out.write(line_of(facts))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._out.flush()
            self._flushed = time.monotonic()

    def sync(self) -> None:
        """Put everything on disk, as before a state is named."""
        if self._out is not None:
            self._out.flush()
            os.fsync(self._out.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._out is not None:
            self._out.close()


def draw_curves(log: Path, stem: Path) -> None:
    """Draw loss, metrics and learning rate over the steps as `stem`.png and `stem`.svg."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib.figure import Figure

    rows = list(read_rows(log))
    steps = [row for row in rows if "loss" in row]
    checks = [(row["step"], row["validation"]) for row in rows if "validation" in row]
    names = sorted({name for _, values in checks for name in values} - {"loss", "perplexity"})
    figure = Figure(figsize=(8, 7 if names else 5), layout="constrained")
    heights = (3, 3, 1) if names else (3, 1)
    upper, *between, lower = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)

    def draw(axes: Any, name: str, label: str) -> None:
        points = [(step, values[name]) for step, values in checks if name in values]
        axes.plot(*zip(*points, strict=True), marker="o", ms=3, label=label)

    upper.plot([r["step"] for r in steps], [r["loss"] for r in steps], lw=0.8, label="training loss")
    if any("loss" in values for _, values in checks):
        draw(upper, "loss", "validation loss")
    upper.legend()
    for axes in between:  # metrics have other scales than the loss
        for name in names:
            draw(axes, name, name)
        axes.set_ylabel("validation")
        axes.legend(fontsize="x-small", ncols=2)
    lower.plot([r["step"] for r in steps], [r["learning_rate"] for r in steps], lw=0.8)
    lower.set_ylabel("learning rate")
    lower.set_xlabel("step")
    for ending in ("png", "svg"):
        figure.savefig(stem.with_suffix(f".{ending}"), metadata={"Date": None} if ending == "svg" else None)


def tensorboard_writer(folder: Path) -> Any:
    """Return a TensorBoard writer."""
    from torch.utils.tensorboard import SummaryWriter  # optional

    return SummaryWriter(str(folder))


def peak_memory_mib(device: torch.device) -> float:
    """Return the most memory this process has held: on the GPU where there is one, else resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held before this program was loaded
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
