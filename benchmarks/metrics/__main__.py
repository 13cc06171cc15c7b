"""`python -m benchmarks.metrics`: processor seconds of whole processes, ours and the straightforward way.

Each side scores the same files in the same run: the straightforward way one process a file, `run-bench score`
one process for all. HARNESS_TEST_DATA names the data, NLTK_DATA a folder with WordNet 3.0.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks import report

from . import systems

METRICS = {
    "captions": "bleu-2@scibert,bleu-4@scibert,rouge-1,rouge-2,rouge-l,meteor@scibert",
    "molecules": "smiles-bleu,levenshtein,molecule-exact@molt5,validity@molt5,"
    "maccs@molt5,rdk@molt5,morgan@molt5",
    "fcd": "fcd",
    "properties": "lpm24-properties,lpm24-combos",
}
FILES = {"captions": "smiles2caption", "molecules": "caption2smiles", "fcd": "caption2smiles"}
ALL = 8  # systems scored in one go
METHOD = (
    "Processor seconds (user and system) of whole processes on files of 3,300 rows of ChEBI-20, one "
    "thread; one file: medians of {repeats}, of properties the straightforward process once; {all} files: "
    "ours once, the straightforward processes once each. Both sides in one run, their byte-code compiled "
    "before, as an installation does. The straightforward way: a process a file, each metric on its own "
    "from strings to value with nltk, rouge-score, transformers' tokenizer, RDKit, and fcd's network at "
    "fcd 1.1's padding in torch; properties by looking for each pattern in each caption. Two of the {all} "
    "systems are real (molt5-small, t5-v1_1-base), the others are drawn from their answers, half of them "
    "changed in one place. LPM-24's references being secret, one submission is scored against another. "
    "RDKit's path fingerprint is left out of the difference: its treatment of empty fingerprints changed. "
    "A row without a ratio measures one process of ours alone."
)


def spend(*command):
    """Return processor seconds and peak memory (MiB) of a process, and what it printed."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *map(str, command)], stdout=out, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        out.seek(0)
        if status:
            raise SystemExit(f"{command} failed")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, json.loads(out.read())


def ours(kind, paths):
    return spend("harness", "score", *paths, "--metrics", METRICS[kind], "--json", "--processes", "1")


def naive(kind, path):
    return spend("benchmarks.metrics.naive", kind, path)


def compare(kind, paths, repeats):
    """Measure one file and, where there are several, all of them."""
    one = [(ours(kind, paths[:1]), naive(kind, paths[0])) for _ in range(repeats)]
    yield row(kind, 1, [run for run, _ in one], [run for _, run in one])
    if len(paths) > 1:
        others = [naive(kind, path) for path in paths[1:]]
        first = sorted((run for _, run in one), key=lambda run: run[0])[repeats // 2]
        theirs = (first[0] + sum(run[0] for run in others), 0, [first[2], *(run[2] for run in others)])
        yield row(kind, len(paths), [ours(kind, paths)], [theirs])


def row(kind, files, mine, theirs):
    """Return a line of the table."""
    spent, reference = median(run[0] for run in mine), median(run[0] for run in theirs)
    scores = mine[0][2] if files > 1 else [mine[0][2]]
    values = theirs[0][2] if files > 1 else [theirs[0][2]]
    apart = [
        abs(part["scores"][name]["value"] - value)
        for part, library in zip(scores, values, strict=True)
        for name, value in library.items()
        if name != "rdk@molt5"
    ]
    return line(kind, files, spent, max(run[1] for run in mine), reference, max(apart))


def line(what, files, spent, memory, reference=None, apart=None):
    found = {
        "what": what,
        "files": files,
        "straightforward, s": "" if reference is None else round(reference, 2),
        "ours, s": round(spent, 2),
        "ratio": "" if reference is None else round(reference / spent, 2),
        "largest difference": "" if apart is None else apart,
        "our peak, MiB": round(memory),
    }
    print(found, file=sys.stderr, flush=True)
    return found


def alone(what, kind, path):
    spent, memory, _ = ours(kind, [path])
    return line(what, 1, spent, memory)


def measure(kinds, repeats, data, folder):
    for kind in kinds:
        if kind == "properties":
            path = systems.properties(data, folder, 400)
            yield row(kind, 1, [ours(kind, [path]) for _ in range(repeats)], [naive(kind, path)])
            yield alone("properties, 21,805 rows", kind, systems.properties(data, folder, 21_805))
        elif kind == "many":
            for each in ("captions", "molecules"):
                path = systems.many_rows(data, folder, FILES[each], 100_000)
                yield alone(f"{each}, 100,000 rows", each, path)
        else:
            yield from compare(kind, systems.several(data, folder, FILES[kind], ALL), repeats)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", default="captions,molecules,fcd,properties,many")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")
    for setting in ("PYTHONDONTWRITEBYTECODE", "OPENBLAS_CORETYPE"):
        os.environ.pop(setting, None)
    data = Path(os.environ.get("HARNESS_TEST_DATA", "../shared/data"))
    with tempfile.TemporaryDirectory() as name:
        os.environ["PYTHONPYCACHEPREFIX"] = f"{name}/compiled"
        folder = Path(name)
        short = {
            kind: systems.write(folder / f"{kind}.tsv", systems.real(data, FILES[kind])[0][:99])
            for kind in FILES
        }
        for kind, path in short.items():  # compiles
            ours(kind, [path])
            naive(kind, path)
        rows = list(measure(args.kinds.split(","), args.repeats, data, folder))
    report.write(
        "metrics",
        "Scoring against the straightforward way",
        rows,
        command="python -m benchmarks.metrics",
        method=METHOD.format(repeats=args.repeats, all=ALL),
        packages=("rdkit", "nltk", "rouge-score", "transformers", "fcd", "torch", "numpy", "rapidfuzz"),
    )


if __name__ == "__main__":
    main()
