"""The parts by name, most telling first: how long each may take, and what it measures."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from .machine import Machine, Measurements

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Part:
    """A part: its box in seconds, its title, what it does, and `module:function` that yields measurements."""

    seconds: int
    title: str
    method: str
    target: str

    def measurements(self, machine: Machine) -> Measurements:
        """Import what is needed and return what there is to measure."""
        module, _, name = self.target.partition(":")
        found: Callable[[Machine], Measurements] = getattr(import_module(f"{__package__}.{module}"), name)
        return found(machine)


PARTS = {
    "tests": Part(
        45,
        "Tests that need a GPU",
        "`python -m pytest -m gpu`, in the files that have such tests.",
        "parts:tests",
    ),
    "training": Part(
        75,
        "Training a 1B-class Llama in bf16",
        "Random weights, AdamW, 8 rows of 2,048 tokens; 10 steps after 3 that warm up. FORMULA.",
        "training:billion",
    ),
    "lora-8b": Part(
        40,
        "LoRA on an 8B-shaped Llama in bf16",
        "Rank 16 on the projections of attention, rows of 1,024 tokens. FORMULA.",
        "training:adapters",
    ),
    "experts": Part(
        20,
        "Routed experts at layer sizes of a 7B model",
        "As `python -m benchmarks.moe` measures them: 4 of 16 experts, forward and backward.",
        "parts:experts",
    ),
    "scratch": Part(
        160,
        "SciMind and ada-T5 from nothing on real pairs, a minute and a half each",
        "Both at once on the device, on real pairs that are not in ChEBI-20's validation and test, 300 of "
        "them aside. Muon and AdamW in bf16 at rates that were not tuned, as many steps as the time holds. "
        "Scored on the whole test of ChEBI-20; the runs are in gpu-scratch.tar.gz.",
        "scratch:learning",
    ),
    "decoding": Part(
        75,
        "Tokens a second of a 1B-class Llama by rows at once",
        "Random weights in bf16, prompts and answers of 128 tokens, greedy; the second of two rounds.",
        "answering:decoding_speed",
    ),
    "serving": Part(
        30,
        "Many clients at one engine",
        "Each client asks three times, again as soon as it is answered: prompts of 60 tokens, answers of 64.",
        "answering:serving",
    ),
    "qlora": Part(35, "QLoRA on a 1B-class Llama", "NF4 base, rank 16. FORMULA.", "training:quantised"),
}


def tests(machine: Machine) -> Measurements:
    """The tests marked `gpu`."""
    yield "pytest", _tests


def _tests() -> dict[str, Any]:
    # Only files that have such tests: others may need libraries that the machine has not.
    marked = [str(f) for f in ROOT.glob("tests/**/test_*.py") if "mark.gpu" in f.read_text(encoding="utf-8")]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *marked]
    found = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, cwd=ROOT, env=found, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines() or [done.stderr.strip()[-200:]]
    return {"exit code": done.returncode, "it says": lines[-1]}


def experts(machine: Machine) -> Measurements:
    """A routed feed-forward against computing all experts and masking."""
    import torch

    from benchmarks.moe import __main__ as routed

    sizes = machine.size(routed.GPU_SIZES, [(32, 64, 16)])
    for size in sizes:
        for dtype in machine.size((torch.bfloat16, torch.float32), (torch.float32,)):
            name = f"{size[0]} x {size[1]}, {size[2]} tokens, {str(dtype).removeprefix('torch.')}"
            yield name, lambda size=size, dtype=dtype: routed.measure(*size, dtype, machine.device.type)
