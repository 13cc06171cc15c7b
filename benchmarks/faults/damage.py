"""Damage to every file that a run leaves: the same command heals it or refuses it by name."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .kills import environment, program

TOY = ("--model", "toy", "--task", "toy", "--max-steps", "5", "--quiet")
Harm = Callable[[bytes, random.Random], bytes]


def flipped(content: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << dice.randrange(8)]) + content[place + 1 :]


def cut(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))]


def edited(content: bytes, dice: random.Random) -> bytes:
    """Change one digit or letter to another, as somebody would by hand."""
    places = [place for place, byte in enumerate(content) if chr(byte).isalnum()]
    place = dice.choice(places)
    return content[:place] + dice.choice(b"ABCxyz0123456789").to_bytes() + content[place + 1 :]


def zeroed(content: bytes, dice: random.Random) -> bytes:
    """Fill a stretch with zeros, as a file system may after a crash."""
    start = dice.randrange(len(content))
    end = min(len(content), start + dice.randint(1, 512))
    return content[:start] + bytes(end - start) + content[end:]


HARMS: dict[str, Harm] = {
    "bit flipped": flipped,
    "cut off": cut,
    "edited": edited,
    "zeros": zeroed,
    "emptied": lambda content, dice: b"",
}


def run(rounds: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Harm each file of a finished and an unfinished run so many times in each way; a row each."""
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "finished"
        whole.mkdir()
        _again(whole)
        (run_folder,) = whole.glob("runs/toy/toy/2*")
        expected = _results(whole)
        torn = shutil.copytree(whole, Path(name) / "unfinished")
        for gone in ("record.json", "scores.json", "predictions.jsonl"):
            (torn / run_folder.relative_to(whole) / gone).unlink()
        answers = torn / run_folder.relative_to(whole) / "completions.jsonl"
        answers.write_bytes(b"".join(answers.read_bytes().splitlines(keepends=True)[:12]))
        for state, ground in (("finished", whole), ("unfinished", torn)):
            for file in sorted(ground.rglob("*")):
                if file.is_file() and file.stat().st_size and not file.name.endswith(".lock"):
                    yield _harmed(state, ground, file.relative_to(ground), rounds, seed, expected)


def _harmed(
    state: str, ground: Path, file: Path, rounds: int, seed: int, expected: dict[str, bytes]
) -> dict[str, Any]:
    began = time.perf_counter()
    told = {"healed": 0, "refused": 0, "silent": 0}
    first = ""
    for kind, harm in HARMS.items():
        for number in range(rounds):
            dice = random.Random(f"{seed} {state} {file.name} {kind} {number}")
            with tempfile.TemporaryDirectory() as name:
                folder = shutil.copytree(ground, Path(name) / "run")
                content = (folder / file).read_bytes()
                (folder / file).write_bytes(harm(content, dice))
                done = _again(folder)
                if done.returncode:
                    verdict = (
                        "refused" if file.name in done.stderr or file.parent.name in done.stderr else "silent"
                    )
                else:
                    verdict = "healed" if _results(folder) == expected else "silent"
                told[verdict] += 1
                if verdict == "silent":
                    first = (
                        first
                        or f"{kind} {number}: {(done.stderr.splitlines() or ['other results'])[-1]:.150}"
                    )
    short = "/".join("*" if part[:2] == "20" else part for part in file.parts)
    return {
        "run": state,
        "file": short,
        "tried": sum(told.values()),
        **told,
        "seconds": round(time.perf_counter() - began, 1),
        "first": first,
    }


def _again(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(program(TOY), cwd=folder, env=environment(), capture_output=True, text=True)


def _results(folder: Path) -> dict[str, bytes]:
    """Return what the newest run says: its scores, and its answers as they were read."""
    newest = sorted(folder.glob("runs/toy/toy/2*"))[-1]
    return {name: (newest / name).read_bytes() for name in ("scores.json", "predictions.jsonl")}
