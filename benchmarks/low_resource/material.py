"""What is learned from: described pairs, undescribed molecules with pseudo-captions, and both mixed."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.api import DataError, DataSpec
from harness.chem.captioned import CaptionedMolecule
from harness.chem.published import read
from harness.data.split_files import files_of
from harness.tasks.lpm24.task import SmilesToText

ROOT = Path(__file__).resolve().parents[2]
SEED = 0
VALIDATION = 0.1  # of real pairs


@dataclass(frozen=True, slots=True)
class Material:
    """Pairs of which the first ones may be described, and the test that all are scored on."""

    describable: Sequence[CaptionedMolecule]
    undescribed: Sequence[CaptionedMolecule]  # their captions are not looked at
    validation: Sequence[CaptionedMolecule] = ()
    test: Path | None = None  # the file of the test split; None: the built-in sample
    name: str = "sample"


@dataclass(frozen=True, slots=True)
class Share:
    """The sources of one share of described molecules."""

    options: Sequence[object]  # that name the described pairs and the test
    pseudo: Path
    mixed: Path
    folder: Path | None  # of real pairs; None: the built-in sample


def of_sample() -> Material:
    """Halve the training pairs of the built-in sample."""
    rows = list(SmilesToText(DataSpec()).molecules("train"))
    half = len(rows) // 2
    return Material(rows[:half], rows[half:])


def of_pairs(pairs: Path, test: Path) -> Material:
    """Shuffle real pairs, set a part aside for validation, and halve the rest."""
    if not pairs.is_file():
        raise DataError(f"there is no file of pairs at {pairs}", hint="--pairs takes a file of pairs")
    if not test.exists():
        raise DataError(f"there is no test at {test}", hint="--test takes a folder or a file")
    files = files_of(test, "test")
    if len(files) != 1:
        raise DataError(f"{test} has no one file for split 'test'", hint="--test takes a file as well")
    next(read(files, "test"), None)  # a file of something else is said before anything is trained
    rows = list(read([pairs], "train"))
    random.Random(SEED).shuffle(rows)
    aside = max(1, round(VALIDATION * len(rows)))
    half = (len(rows) - aside) // 2
    return Material(
        rows[aside : aside + half], rows[aside + half :], rows[:aside], files[0], pairs.name.split(".")[0]
    )


def known_of(share: float, describable: int) -> int:
    """Return how many molecules a share is; a share of nothing is refused."""
    known = round(describable * share)
    if known < 1:
        raise DataError(
            f"{share:g} of {describable:,} pairs that may be described is not one pair to learn from",
            hint="give more --pairs, or larger --shares",
        )
    return known


def write(work: Path, material: Material, known: int) -> Share:
    """Write the described pairs, the pseudo-captions of the undescribed molecules, and their mixture."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    described = [_row(row) for row in material.describable[:known]]
    validation = [_row(row) for row in material.validation]
    pseudo, mixed, folder = work / "pseudo", work / "mixed", None
    if material.test is None:
        task, source, limit = "lpm24", "sample", ["--train-limit", known]
    else:
        folder = work / f"{material.name}-{known}"
        _rows(folder / "train.jsonl", described)
        _rows(folder / "validation.jsonl", validation)
        shutil.copyfile(material.test, folder / ("test" + "".join(material.test.suffixes)))
        task, source, limit = "chebi20", str(folder), []
    undescribed = work / "undescribed.smi"
    undescribed.write_text("".join(f"{row.smiles}\n" for row in material.undescribed), encoding="utf-8")
    bench(
        *("pseudo-data", undescribed, "--task", task, "--described", source, *limit),
        *("--exclude", source, "--out", pseudo / "train.jsonl", "--least-similarity", "0.1", "--quiet"),
    )
    made = map(json.loads, (pseudo / "train.jsonl").read_text(encoding="utf-8").splitlines())
    both = [{name: row[name] for name in ("smiles", "description")} for row in (*described, *made)]
    _rows(mixed / "train.jsonl", both)
    if validation:  # the best step is chosen on the same rows in all three ways
        _rows(mixed / "validation.jsonl", validation)
    return Share(["--data", source, *limit], pseudo, mixed, folder)


def _row(row: CaptionedMolecule) -> dict[str, str]:
    return {"smiles": row.smiles, "description": row.caption, "cid": str(row.meta.get("cid", ""))}


def _rows(path: Path, rows: Iterable[dict[str, str]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def bench(*arguments: object) -> Any:
    """Run the program and return the JSON it prints, if any; where it fails it has said why."""
    command = [sys.executable, str(ROOT / "run_bench.py"), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    return json.loads(done.stdout) if "--json" in arguments else None
