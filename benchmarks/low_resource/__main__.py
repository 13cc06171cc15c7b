"""Adaptation against augmentation where few molecules are described: `python -m benchmarks.low_resource`.

Half of the training molecules may be described; the other half is met without captions and gets
pseudo-captions after its nearest described neighbours. For each share of described molecules three ways to
learn from the same rows are compared on the same test, with the same number of updates:

    real   fine-tune on the described pairs alone
    aug    fine-tune on the described pairs mixed with the pseudo-captions
    ada    pretrain on the pseudo-captions in both directions, then fine-tune on the described pairs

Beside them stands `nearest`, which learns nothing and says what the most similar described pair says.

The molecules are those of the built-in synthetic sample, or with --pairs FILE --test DIR real ones: a tenth
of them is set aside to choose the best step on, and the test is ChEBI-20's. On a GPU the same command takes
the published sizes: --preset small, and --weights google/t5-v1_1-base beside it for the base. A command that
was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks.low_resource.material import Material, Share, bench, known_of, of_pairs, of_sample, write
from benchmarks.report import write as report
from harness.api import HarnessError
from harness.leaderboards.intake.from_run import from_run

SHOWN = {
    "smiles2text": ("bleu-2", "bleu-4", "rouge-l", "meteor"),
    "text2smiles": ("morgan", "smiles-bleu", "validity", "molecule-exact"),
}
SELECTS = {"smiles2text": "bleu-4", "text2smiles": "smiles-bleu"}  # as ada-T5's release chooses the best step
# The recipe `small` starts from weights that have seen pseudo-captions; the comparison must not.
WEIGHTS = {"tiny": "", "small": "google/t5-v1_1-small"}
# The tiny recipes are cut to the sample, whose captions are shorter than real ones.
LENGTHS = {"tiny": {"train.max_length": 512, "generate.max_new_tokens": 256}, "small": {}}
LOOKS, LOOKED_AT = 6, 100  # how often, and on how many validation rows, the best step is looked for
PRETRAINING = 0.6  # of the updates of `ada`
TITLES = {
    "lpm24": "Adaptation and augmentation on {} of the built-in synthetic sample",
    "chebi20": "Adaptation and augmentation on {}, learned from few real pairs",
}
KINDS = ("smiles", "inchikey", "connectivity", "caption", "near-caption", "cid", "scaffold")


def main() -> None:
    args = arguments()
    try:
        material = of_pairs(args.pairs, args.test) if args.pairs else of_sample()
        shares = [(share, known_of(share, len(material.describable))) for share in args.shares]
    except HarnessError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    rows: list[dict[str, Any]] = []
    overlaps: list[dict[str, Any]] = []
    run = Path()
    for share, known in shares:
        data = write(args.output / "data" / args.task / str(known), material, known)
        described = f"{share:.0%} ({known})"
        overlaps += overlap(described, data)
        run = compare_ways(args, described, data, rows)
    facts: dict[str, Any] = {
        "command": command(args),
        "method": method(args, material, run),
        "packages": ("torch", "transformers", "rdkit"),
    }
    dataset, _, direction = args.task.partition("/")
    names = ["low_resource", dataset * (dataset != "lpm24"), direction * (direction != "smiles2text")]
    topic = "_".join(filter(None, names))
    report(topic, TITLES[dataset].format(args.task), rows, **facts)
    if overlaps:
        report(f"{topic}_overlap", "What was learned from, compared with the test", overlaps, **facts)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.low_resource",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="real pairs to learn from")
    parser.add_argument("--test", type=Path, metavar="DIR", help="folder or file of the test of ChEBI-20")
    parser.add_argument("--task", choices=[f"{name}/{way}" for name in TITLES for way in SHOWN],
        help="what is tested (default: lpm24/smiles2text, chebi20/smiles2text with --pairs)",
    )  # fmt: skip
    parser.add_argument(
        "--shares", default="0.01,0.1,1", help="shares of the describable half (default: %(default)s)"
    )
    parser.add_argument("--preset", default="tiny", choices=WEIGHTS, help="the size (default: %(default)s)")
    parser.add_argument(
        "--weights",
        metavar="T5",
        help="path or hub id (default: none for tiny, google/t5-v1_1-small for small)",
    )
    parser.add_argument("--seeds", default="0", help="seeds of the learning, such as 0,1,2 (default: 0)")
    parser.add_argument("--steps", type=int, default=600, help="updates of each way to learn (default: 600)")
    parser.add_argument("--output", type=Path, default=Path("runs/low_resource"), help="where runs are kept")
    args = parser.parse_args()
    if (args.pairs is None) != (args.test is None):
        parser.error("--pairs and --test go together: what is learned from, and what it is tested on")
    dataset = "chebi20" if args.pairs else "lpm24"
    args.task = args.task or f"{dataset}/smiles2text"
    if not args.task.startswith(dataset):
        parser.error(f"--task {args.task} is tested " + ("without" if args.pairs else "with") + " --pairs")
    try:
        args.shares = [float(share) for share in args.shares.split(",")]
    except ValueError:
        parser.error(f"--shares {args.shares} is no list of numbers, such as 0.01,0.1,1")
    if not all(0 < share <= 1 for share in args.shares):
        parser.error("--shares takes shares above 0 and up to 1")
    if args.steps < 2:
        parser.error(f"--steps {args.steps} leaves nothing for one of the two stages of ada")
    args.weights = args.weights or WEIGHTS[args.preset]
    return args


def compare_ways(args: argparse.Namespace, described: str, data: Share, rows: list[dict[str, Any]]) -> Path:
    """Train and score the ways; add a row for each and each seed, and return a run that learned."""
    first = SHOWN[args.task.partition("/")[2]][0]
    command = ("--task", args.task, "--no-compare", "--json", "--output", args.output)
    real: dict[int, Path] = {}
    for way, chosen in ways(args, data).items():
        for done in bench(*command, *chosen)["runs"]:
            run = Path(done["directory"])
            record = json.loads((run / "record.json").read_text(encoding="utf-8"))
            seed = record["spec"]["seed"]
            row = {"described": described, "way": way, "seed": "" if way == "nearest" else seed}
            row |= scores(args, done["scores"], record["overlap"])
            if way == "real":
                real[seed] = run
            against = real[seed] if way in ("aug", "ada") else None
            row["p"] = f"{difference(against, run, first, data):.4f}" if against else ""
            rows.append(row)
            print(row, file=sys.stderr)
    return next(iter(real.values()))


def scores(args: argparse.Namespace, found: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of a run's scores; `unseen` is of the rows that its training rows do not give away."""
    metrics = SHOWN[args.task.partition("/")[2]]
    cells = {}
    for metric in metrics:
        low, high = found[metric]["interval"]
        cells[metric] = f"{found[metric]['value'] * 100:.1f} [{low * 100:.1f}, {high * 100:.1f}]"
    if args.pairs:
        value = shared.get("clean_scores", {}).get(metrics[0], found[metrics[0]]["value"])
        cells["unseen"] = f"{value * 100:.1f} ({shared['clean_rows']:,})"
    return cells


def ways(args: argparse.Namespace, data: Share) -> dict[str, list[object]]:
    """Return the options of each way: its model and what it learns from."""
    first = int(args.steps * PRETRAINING)
    dataset = args.task.partition("/")[0]
    aug = {"train.data": data.mixed, "train.tasks": args.task}
    ada = {"stage.pretrain.data": data.pseudo, "stage.pretrain.tasks": dataset}
    return {
        "nearest": ["--model", "baseline/nearest", *data.options],
        "real": options(args, data, "", {}, "train", args.steps),
        "aug": options(args, data, "-aug", aug, "train", args.steps),
        "ada": options(
            args, data, "-ada", {**ada, "stage.pretrain.max_steps": first}, "stage.sft", args.steps - first
        ),
    }


def options(
    args: argparse.Namespace, data: Share, recipe: str, settings: Mapping[str, object], stage: str, steps: int
) -> list[object]:
    """Return the options of a way whose last stage takes `steps` updates."""
    settings = {**settings, f"{stage}.max_steps": steps}
    if args.weights:
        settings |= {"model.weights": args.weights}
    if data.folder is not None:
        select = SELECTS[args.task.partition("/")[2]]
        settings |= {f"{stage}.eval_every": -(-steps // LOOKS), f"{stage}.eval_limit": LOOKED_AT}
        settings |= {f"{stage}.select_metric": select, **LENGTHS[args.preset]}
    sets = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    model = ["--model", "ada-t5", "--preset", args.preset + recipe, "--seeds", args.seeds]
    return [*model, *data.options, *sets]


def difference(first: Path, second: Path, metric: str, data: Share) -> float:
    """Return the p-value of the difference between two runs."""
    source = ("--data", data.folder) if data.folder else ()
    found = bench("compare", first, second, "--metric", metric, *source, "--json")
    (compared,) = found["differences"]
    return float(compared["p_value"])


def overlap(described: str, data: Share) -> list[dict[str, Any]]:
    """Count what test rows share with the described pairs and with the pseudo-captions."""
    rows = []
    for learned, folder in (("pairs", data.folder), ("pseudo-captions", data.pseudo)):
        if data.folder is None:
            break  # the split of the sample shares no molecule
        found = bench("data", "overlap", folder, data.folder, "--json")
        counts = {kind: len(found["ids"][kind]) for kind in KINDS}
        rows.append({"described": described, "learned": learned, "rows": found["train_rows"], **counts})
        rows[-1] |= {"clean test rows": f"{found['clean']:,} of {found['rows']:,}"}
    return rows


def command(args: argparse.Namespace) -> str:
    """Return the command without the folders of this machine."""
    parts = ["python -m benchmarks.low_resource"]
    parts += [f"--pairs {args.pairs.name} --test {args.test.name}"] if args.pairs else []
    parts += [f"--task {args.task} --shares {','.join(f'{share:g}' for share in args.shares)}"]
    parts += [f"--preset {args.preset}"] if args.preset != "tiny" else []
    parts += [f"--seeds {args.seeds}"] if args.seeds != "0" else []
    parts += [f"--weights {shown(args.weights)}"] if args.weights != WEIGHTS[args.preset] else []
    return " ".join([*parts, f"--steps {args.steps}"])


def shown(weights: str) -> str:
    """Return a hub id as it is, and a folder by its name."""
    return Path(weights).name if Path(weights).is_dir() else weights


def method(args: argparse.Namespace, material: Material, run: Path) -> str:
    """Say what was learned by what, and what the numbers do not say."""
    about = from_run(run).about
    start = f"from {shown(args.weights)}" if args.weights else "from nothing"
    first = int(args.steps * PRETRAINING)
    text = (
        f"ada-t5 {args.preset}, {about['model']['parameters']:,} parameters, learned {start} on "
        f"{about['hardware']['device']}, seed {args.seeds}; pseudo-captions by the retrieval writer. Every "
        f"such way takes {args.steps:,} updates, ada {first:,} of them on pseudo-captions; p is that of a "
        "paired permutation test of the first metric against `real` of the same seed. `nearest` learns "
        "nothing: it says what its most similar described pair says. "
    )
    if material.test is None:
        text += "The data is compositional and synthetic: nothing here says anything about real molecules."
        return fill(text, 110)
    select = SELECTS[args.task.partition("/")[2]]
    text += (
        f"Real data: the pairs of {args.pairs.name}, shuffled; {len(material.validation):,} are set aside to "
        f"choose the best of {LOOKS} steps on ({select} of {LOOKED_AT} of them), "
        f"{len(material.describable):,} may be described, and of {len(material.undescribed):,} only the "
        "molecules are used; no pseudo-caption is of a validation or test molecule. Scored on every row of "
        f"the test of {args.test.name}; `unseen` is the first metric on the rows (their number in brackets) "
        "that the described pairs do not give away."
    )
    if args.preset == "tiny":
        text += (
            " A model of this size learns little in this time: the comparison is real, the scores are weak."
        )
    return fill(text, 110)


if __name__ == "__main__":
    main()
