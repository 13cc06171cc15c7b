"""Loading and comparing molecule-caption pairs: `python -m benchmarks.data`.

Each row runs in a process of its own, on files made from the built-in generator; captions are repeated to
the mean length of the published set they stand for. With HARNESS_TEST_DATA set, overlap is also measured
on real L+M-24 molecules (100,000 of `train_props.txt`, 10,000 of `eval-text.txt`).
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.report import write
from harness.chem.captioned import CaptionedMolecule
from harness.chem.generator import generate
from harness.chem.overlap import overlap
from harness.chem.published import read
from harness.tasks.lpm24.sample import caption

ROUNDS = 5  # the short ones; a million rows and overlaps are measured once
FORMS = {
    "160k rows, TSV": ("lpm/train.tsv", 160_000),
    "160k rows, JSON array": ("lpm/train.json", 160_000),
    "160k rows, conversations": ("lpm/train_qa.json", 160_000),
    "1M rows, JSON array": ("pseudomd/train.json", 1_000_000),
}


def main() -> None:
    if len(sys.argv) > 1:
        measure(sys.argv[1], Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_files(folder)
        idle = run("idle", folder)[1]
        rows = []
        for label, (file, count) in FORMS.items():
            size = (folder / file).stat().st_size / 2**20
            rounds = 1 if count >= 1_000_000 else ROUNDS
            rows.append(row(f"load {label} ({size:,.0f} MiB)", f"load:{file}", folder, idle, rounds))
        rows.append(row("overlap 100k x 10k, generated", "overlap", folder, idle, 1))
        if os.environ.get("HARNESS_TEST_DATA"):
            rows.append(row("overlap 100k x 10k, real L+M-24 molecules", "overlap-real", folder, idle, 1))
    write(
        "data",
        "Loading and comparing molecule-caption pairs",
        rows,
        command="python -m benchmarks.data",
        method="User and system CPU seconds of the work alone, each in a process of its own; medians of the "
        "rounds. Peak memory is the process's, less that of one which only imports. Rows are streamed: read, "
        "validated (SMILES grammar by RDKit) and dropped. Overlap compares strings, InChIKey, connectivity, "
        "scaffold, near-duplicate captions and CID.",
        packages=["rdkit", "numpy"],
    )


def row(label: str, work: str, folder: Path, idle: float, rounds: int) -> dict[str, object]:
    measured = [run(work, folder) for _ in range(rounds)]
    return {
        "work": label,
        "CPU s": statistics.median(seconds for seconds, _ in measured),
        "peak MiB over import": round(max(peak for _, peak in measured) - idle),
        "rounds": rounds,
    }


def run(work: str, folder: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.data", work, str(folder)]
    seconds, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), float(peak)


def measure(work: str, folder: Path) -> None:
    before = cpu_seconds()
    if work.startswith("load:"):
        for _ in read([folder / work.removeprefix("load:")], "train"):
            pass
    elif work == "overlap":
        rows = read([folder / "lpm/train.tsv"], "train")
        test = list(islice(rows, 10_000))
        overlap(islice(rows, 100_000), test)
    elif work == "overlap-real":
        overlap(real_training(), list(real_test()))
    print(cpu_seconds() - before, peak_memory())


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_memory() -> float:
    """Return the peak of this process in MiB; getrusage would count its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def make_files(folder: Path) -> None:
    rows = generate(1, {"train": 160_000}, caption)["train"]
    pairs = [(row.molecule.smiles, f"{row.caption} {row.caption} {row.caption}") for row in rows]
    (folder / "lpm").mkdir()
    (folder / "pseudomd").mkdir()
    with (folder / "lpm/train.tsv").open("w") as stream:
        stream.write("molecule\tcaption\n")
        stream.writelines(f"{smiles}\t{text}\n" for smiles, text in pairs)
    objects = [{"smiles": smiles, "description": text} for smiles, text in pairs]
    (folder / "lpm/train.json").write_text(json.dumps(objects))
    (folder / "lpm/train_qa.json").write_text(json.dumps([conversation(*p) for p in enumerate(pairs)]))
    with (folder / "pseudomd/train.json").open("w") as stream:
        stream.write("[\n")
        for index in range(1_000_000):
            smiles, text = pairs[index % len(pairs)]
            stream.write(json.dumps({"smiles": smiles, "description": f"{text} {text}"}))
            stream.write(",\n" if index < 999_999 else "\n]\n")


def conversation(index: int, pair: tuple[str, str]) -> dict[str, object]:
    question = f"Please describe the molecule below:\n{pair[0]}"
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": pair[1]}]
    return {"id": str(index), "conversation": turns}


def real_training() -> Iterator[CaptionedMolecule]:
    archive = Path(os.environ["HARNESS_TEST_DATA"]) / "lpm24/additional_data.zip"
    with zipfile.ZipFile(archive) as opened, opened.open("train_props.txt") as stream:
        for index, line in enumerate(islice(stream, 100_000)):
            smiles, _, properties = line.decode().partition("\t")
            yield CaptionedMolecule(str(index), smiles, properties)


def real_test() -> Iterator[CaptionedMolecule]:
    path = Path(os.environ["HARNESS_TEST_DATA"]) / "lpm24/scimind/eval-text.txt"
    with path.open() as stream:
        for index, line in enumerate(islice(stream, 10_000)):
            yield CaptionedMolecule(str(index), line.strip(), f"row {index}")


if __name__ == "__main__":
    main()
