"""Two of everything at once: both end, or one is told that the other is at work, and nothing is corrupt."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .kills import DESCRIBED, SMILES, TOY, environment, program

BOARD = ("leaderboard", "--task", "toy", "--publish", "public", "--format", "none")
OTHER = ("--model", "baseline/frequent", "--task", "toy", "--quiet")
PSEUDO = ("pseudo-data", "molecules.smi", "--described", "described.tsv", "--out", "made.jsonl", "--quiet")
RUN_LOCKED = 75


def run(pairs: int, only: str = "") -> Iterator[dict[str, Any]]:
    """Start two commands at once so many times for each kind; yield a row for each."""
    with tempfile.TemporaryDirectory() as name:
        ground = Path(name) / "ground"
        (ground / "a").mkdir(parents=True)
        (ground / "b").mkdir()
        (ground / "molecules.smi").write_text(SMILES, encoding="utf-8")
        (ground / "described.tsv").write_text(DESCRIBED, encoding="utf-8")
        _one((*TOY, "--output", "a/runs"), ground)
        _one((*OTHER, "--output", "b/runs"), ground)
        kinds: dict[str, tuple[Sequence[str], Sequence[str]]] = {
            "the same run": (TOY, TOY),
            "two runs": (TOY, OTHER),
            "publish": ((*BOARD, "--runs", "a/runs"), (*BOARD, "--runs", "b/runs")),
            "pseudo-data": (PSEUDO, PSEUDO),
        }
        for kind, commands in kinds.items():
            if only not in kind:
                continue
            began = time.perf_counter()
            corrupt, waited, first = 0, 0, ""
            for number in range(pairs):
                folder = shutil.copytree(ground, Path(name) / f"pair-{number}")
                codes, said = _both(commands, folder)
                waited += sum(code != 0 for code in codes)
                fault = _fault(kind, codes, folder) or ("Traceback" in said and said[-200:])
                corrupt += bool(fault)
                first = first or str(fault or "")
                shutil.rmtree(folder)
            yield {
                "at once": kind,
                "pairs": pairs,
                "one was told to wait": waited,
                "corrupt": corrupt,
                "seconds": round(time.perf_counter() - began, 1),
                "first": first,
            }


def _both(commands: Sequence[Sequence[str]], folder: Path) -> tuple[list[int], str]:
    started = [
        subprocess.Popen(
            program(command),
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in commands
    ]
    said = [process.communicate()[0] for process in started]
    return [process.returncode for process in started], "".join(said)


def _one(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(program(command), cwd=folder, env=environment(), capture_output=True, text=True)


def _fault(kind: str, codes: Sequence[int], folder: Path) -> str:
    """Say what is wrong with what two commands left, given again one after the other where one waited."""
    if all(codes):
        return "both failed"
    if kind == "publish":
        history = _one(("leaderboard", "history", "--board", "public"), folder)
        verified = _one(("leaderboard", "verify", "--board", "public"), folder)
        rows = len(list(folder.glob("public/rows/toy/*/scored.json")))
        if any(codes) or history.returncode or verified.returncode or rows != 2:
            return f"codes {codes}, {rows} rows: {(history.stderr + verified.stderr)[-150:]}"
    elif kind == "pseudo-data":
        rows = [json.loads(line) for line in (folder / "made.jsonl").read_text(encoding="utf-8").splitlines()]
        if len({row["smiles"] for row in rows}) != len(rows):
            return "a molecule is described twice"
    else:
        scores = list(folder.glob("runs/toy/*/*/scores.json"))
        if len(scores) != (1 if kind == "the same run" else 2):
            return f"{len(scores)} scores"
    return ""
