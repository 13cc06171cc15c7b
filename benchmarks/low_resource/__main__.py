"""Adaptation against augmentation where few molecules are described: `python -m benchmarks.low_resource`.

Half of the sample's training molecules may be described; the other half is met without captions and gets
pseudo-captions after its nearest described neighbours. For each share of described molecules three ways to
learn from the same rows are compared on the same test, with the same number of updates:

    real   fine-tune on the described pairs alone
    aug    fine-tune on the described pairs mixed with the pseudo-captions
    ada    pretrain on the pseudo-captions in both directions, then fine-tune on the described pairs
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import write
from harness.api import DataSpec
from harness.tasks.lpm24.task import SmilesToText

ROOT = Path(__file__).resolve().parents[2]
METHOD = """ada-t5 tiny, one seed; pseudo-captions by the retrieval writer; every way takes the same number of
updates; p is that of a paired permutation test of the first metric against `real`. The data is compositional
and synthetic: nothing here says anything about real molecules."""
SHOWN = {
    "lpm24/smiles2text": ("bleu-2", "bleu-4", "rouge-l", "meteor"),
    "lpm24/text2smiles": ("molecule-exact", "validity", "morgan"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--shares", default="0.01,0.1,1", help="shares of the describable half (default: 0.01,0.1,1)"
    )
    parser.add_argument(
        "--task", default="lpm24/smiles2text", choices=SHOWN, help="the direction that is tested"
    )
    parser.add_argument("--steps", type=int, default=600, help="updates of each way to learn (default: 600)")
    parser.add_argument("--output", type=Path, default=Path("runs/low_resource"), help="where runs are kept")
    args = parser.parse_args()
    pairs = [(row.inputs["smiles"], row.references[0]) for row in SmilesToText(DataSpec()).examples("train")]
    half = len(pairs) // 2
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for share in map(float, args.shares.split(",")):
            known = max(1, round(half * share))
            work = Path(folder) / str(known)
            pseudo, mixed = write_data(work, pairs, half, known)
            rows += compare_ways(args, share, known, pseudo, mixed)
    write(
        "low_resource",
        f"Adaptation and augmentation on {args.task} of the built-in synthetic sample",
        rows,
        command=f"python -m benchmarks.low_resource --task {args.task} --shares {args.shares} "
        f"--steps {args.steps}",
        method=METHOD,
        packages=("torch", "transformers", "rdkit"),
    )


def write_data(work: Path, pairs: list[tuple[str, str]], half: int, known: int) -> tuple[Path, Path]:
    """Write pseudo-captions for the undescribed half, and their mixture with the described rows."""
    work.mkdir()
    (work / "undescribed.smi").write_text(
        "".join(f"{smiles}\n" for smiles, _ in pairs[half:]), encoding="utf-8"
    )
    pseudo = work / "pseudo" / "train.jsonl"
    pseudo.parent.mkdir()
    bench(
        *("data", "pseudo", work / "undescribed.smi", "--described", "sample", "--train-limit", known),
        *("--exclude", "sample", "--out", pseudo, "--least-similarity", "0.1", "--quiet"),
    )
    (work / "mixed").mkdir()
    mixed = work / "mixed" / "train.jsonl"
    real = [json.dumps({"smiles": smiles, "description": caption}) for smiles, caption in pairs[:known]]
    made = [
        json.dumps({name: row[name] for name in ("smiles", "description")})
        for row in map(json.loads, pseudo.read_text(encoding="utf-8").splitlines())
    ]
    mixed.write_text("\n".join([*real, *made]) + "\n", encoding="utf-8")
    return pseudo.parent, mixed.parent


def compare_ways(
    args: argparse.Namespace, share: float, known: int, pseudo: Path, mixed: Path
) -> list[dict[str, Any]]:
    """Train and score the three ways; return a row for each."""
    third = args.steps * 6 // 10
    ways = {
        "real": ("--preset", "tiny", "--train-limit", known, "--max-steps", args.steps),
        "aug": ("--preset", "tiny-aug", "--set", f"train.data={mixed}", "--max-steps", args.steps),
        "ada": (
            *("--preset", "tiny-ada", "--train-limit", known, "--set", f"stage.pretrain.data={pseudo}"),
            *(
                "--set",
                f"stage.pretrain.max_steps={third}",
                "--set",
                f"stage.sft.max_steps={args.steps - third}",
            ),
        ),
    }
    rows: list[dict[str, Any]] = []
    runs: dict[str, str] = {}
    for way, options in ways.items():
        command = (
            "--model",
            "ada-t5",
            "--task",
            args.task,
            "--no-compare",
            "--json",
            "--output",
            args.output,
        )
        (done,) = bench(*command, *options)["runs"]
        runs[way] = done["directory"]
        row: dict[str, Any] = {"described": f"{share:.0%} ({known})", "way": way}
        for metric in SHOWN[args.task]:
            score = done["scores"][metric]
            low, high = score["interval"]
            row[metric] = f"{score['value'] * 100:.1f} [{low * 100:.1f}, {high * 100:.1f}]"
        first = SHOWN[args.task][0]
        row["p"] = "" if way == "real" else f"{difference(runs['real'], runs[way], first):.4f}"
        rows.append(row)
        print(row, file=sys.stderr)
    return rows


def difference(first: str, second: str, metric: str) -> float:
    """Return the p-value of the difference between two runs."""
    found = bench("compare", first, second, "--metric", metric, "--json")
    (compared,) = found["differences"]
    return float(compared["p_value"])


def bench(*arguments: object) -> Any:
    """Run the program and return the JSON it prints, if any."""
    command = [sys.executable, str(ROOT / "run_bench.py"), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout) if "--json" in arguments else None


if __name__ == "__main__":
    main()
