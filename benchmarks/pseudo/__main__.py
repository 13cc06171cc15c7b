"""What pseudo-captions for twenty thousand molecules cost: `python -m benchmarks.pseudo`.

The molecules are the built-in generator's, or with HARNESS_TEST_DATA set those of L+M-24. The nearest of
ten thousand described molecules is also found with RDKit's bulk Tanimoto, over fewer molecules.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from benchmarks.report import write
from harness.chem.generator import generate
from harness.chem.smiles import molecule
from harness.retrieval.structure import BITS, MorganIndex
from harness.tasks.lpm24.sample import caption

ROOT = Path(__file__).resolve().parents[2]
DESCRIBED, UNDESCRIBED, BULK = 10_000, 20_000, 5_000


def main() -> None:
    smiles, origin = molecules()
    described, undescribed = smiles[:DESCRIBED], smiles[DESCRIBED:]
    rows = [whole_command(described, undescribed)]
    nearest = MorganIndex(described).nearest
    mols = [molecule(text) for text in undescribed]
    ours, found = timed(nearest, mols)
    rows.append({"work": "nearest of 10,000, ours", "molecules": len(mols), "CPU µs a molecule": ours})
    bulk = Bulk(described)
    theirs, expected = timed(bulk, mols[:BULK])
    rows.append({"work": "nearest of 10,000, RDKit bulk", "molecules": BULK, "CPU µs a molecule": theirs})
    similarities = [0.0 if near is None else near.score for near in found[:BULK]]
    if max(abs(a - b) for a, b in zip(similarities, expected, strict=True)) > 1e-12:
        raise SystemExit("the two ways disagree on a nearest molecule")
    write(
        "pseudo",
        f"Pseudo-captions by retrieval, {origin}",
        rows,
        command="python -m benchmarks.pseudo",
        method="CPU time. The first row is the whole command `pseudo-data` with its default writer, start, "
        "filters and files included. The others find neighbours alone, and must agree.",
        packages=("rdkit", "numpy"),
    )


def molecules() -> tuple[list[str], str]:
    wanted = DESCRIBED + UNDESCRIBED
    if folder := os.environ.get("HARNESS_TEST_DATA"):
        archive = Path(folder) / "lpm24/additional_data.zip"
        with zipfile.ZipFile(archive) as opened, opened.open("train_props.txt") as stream:
            texts = (line.decode().partition("\t")[0] for line in stream)
            return list(islice(filter(molecule, texts), wanted)), "L+M-24 molecules"
    rows = generate(1, {"train": wanted}, caption)["train"]
    return [row.molecule.smiles for row in rows], "generated molecules"


def whole_command(described: Sequence[str], undescribed: Sequence[str]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = [
            {"smiles": text, "description": f"The molecule is number {i}, an example of a caption."}
            for i, text in enumerate(described)
        ]
        (folder / "described.json").write_text(json.dumps(pairs))
        (folder / "undescribed.smi").write_text("".join(f"{text}\n" for text in undescribed))
        before = cpu_of_children()
        command = [sys.executable, str(ROOT / "run_bench.py"), "pseudo-data", "undescribed.smi"]
        options = ["--described", "described.json", "--out", "pseudo.jsonl", "--json", "--quiet"]
        subprocess.run([*command, *options], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        written = sum(1 for _ in (folder / "pseudo.jsonl").open())
    return {
        "work": f"pseudo-data, {written:,} written",
        "molecules": len(undescribed),
        "CPU µs a molecule": 1e6 * (cpu_of_children() - before) / len(undescribed),
    }


class Bulk:
    """The nearest by comparing whole fingerprints."""

    def __init__(self, smiles: Sequence[str]) -> None:
        self.fingerprint = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS).GetFingerprint
        self.described = [self.fingerprint(molecule(text)) for text in smiles]

    def __call__(self, mol: Chem.Mol) -> float:
        return float(max(DataStructs.BulkTanimotoSimilarity(self.fingerprint(mol), self.described)))


def timed(find: Callable[[Chem.Mol], Any], mols: Sequence[Chem.Mol]) -> tuple[float, list[Any]]:
    before = time.process_time()
    found = [find(mol) for mol in mols]
    return 1e6 * (time.process_time() - before) / len(mols), found


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
