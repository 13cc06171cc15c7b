"""AiMed from nothing, stage by stage: what each stage does to its own measure on what it has not learned."""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.report import write
from harness import Checkpoint, Completion, GenerateSpec, Request, RunContext, RunSpec, TrainSpec
from harness.plugins.aimed.model import AiMed, AiMedOptions
from harness.tasks.medical_qa import sample
from harness.tasks.medical_qa.base import WORDS
from harness.tasks.medical_qa.task import HELD_OUT
from harness.training.heads import WithHead
from harness.training.stages.preference import answered
from harness.training.stages.reward import reward_of

from .program import program, record

CHAIN = ("--model", "aimed", "--task", "medical_qa", "--preset", "tiny-full")
NEW_TOKENS = 24
MEASURES = {
    "pretrain": "loss a token of sentences that were not read",
    "sft": "accuracy %, asked by the likelihood of the choices",
    "reward": "right answers that earn more than wrong ones, %",
    "ppo": "what the model's own answers earn of the reward model",
    "dpo": "right answers that are likelier than wrong ones, %",
}
METHOD = """One command trains all stages, each from the one before: `run-bench --model aimed --task
medical_qa --preset tiny-full`. Everything is measured on the sample's test: {rows} questions about facts
that no stage asks, in English and Chinese, or for `pretrain` a wording of each fact that is not read.
Before `pretrain` the model is one step old; before `reward` all answers earn the same, so that half are
right. ± is 1.96 standard errors of the paired difference over rows. CPU seconds of the whole command,
two threads: {seconds}. The machine was shared, so that wall time says little."""


def stages(work: Path, args: argparse.Namespace) -> None:
    """Train the chain for each seed, measure every stage and write the table."""
    table: list[dict[str, Any]] = []
    spent: list[str] = []
    asked = list(sample.questions("test"))
    for seed in args.seeds.split(","):
        folder = work / f"chain-{seed}"
        trained, fresh = _chain(folder, seed), _begun(folder, seed)
        seconds = (folder / "cpu.txt").read_text(encoding="utf-8").split()
        spent.append(f"{sum(map(float, seconds)):.0f}")
        run = RunContext(folder, RunSpec("aimed", "medical_qa/short", device="cpu"))
        for stage, before, after in _measured(trained, fresh, asked, run):
            table.append(
                {"seed": seed, "stage": stage, "measure": MEASURES[stage], **_row(stage, before, after)}
            )
    write(
        "medical-stages",
        "AiMed from nothing, stage by stage",
        table,
        command=f"python -m benchmarks.medical stages --seeds {args.seeds}",
        method=METHOD.format(rows=len(asked), seconds=", ".join(spent)),
        packages=("torch", "transformers"),
    )


def _chain(folder: Path, seed: str) -> Mapping[str, Path]:
    """Return the checkpoint of each stage, trained by one command that goes on where it was stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.process_time()
    try:
        said = program(*CHAIN, "--seed", seed, "--output", folder / "runs", "--json")
    finally:
        with (folder / "cpu.txt").open("a", encoding="utf-8") as file:
            file.write(f"{time.process_time() - begun:.1f}\n")
    run = next(run for run in json.loads(said)["runs"] if run["task"] == "medical_qa/choice")
    training = record(Path(run["directory"]))["training"]
    return {stage["stage"]: Path(stage["directory"]) / "checkpoint" for stage in training}


def _begun(folder: Path, seed: str) -> Path:
    """Return the checkpoint of a model that has learned for one step."""
    said = program(
        *("train", *CHAIN, "--stage", "pretrain", "--max-steps", 1, "--seed", seed),
        *("--output", folder / "begun"),
    )
    return Path(said.rsplit(": ", 1)[1].strip()) / "checkpoint"


Values = Sequence[float]  # of each row


def _measured(
    trained: Mapping[str, Path], fresh: Path, asked: Sequence[sample.Asked], run: RunContext
) -> Iterator[tuple[str, Values, Values]]:
    """Yield by what each stage is measured, and its values before and after it."""
    yield "pretrain", _losses(fresh, run), _losses(trained["pretrain"], run)
    yield "sft", _chosen(trained["pretrain"], asked, run), _chosen(trained["sft"], asked, run)
    judge = Judge(trained["reward"], run)
    better = [judge(one, one.answer) > judge(one, _wrong(one)) for one in asked]
    yield "reward", [0.5] * len(asked), list(map(float, better))
    yield "ppo", _earned(trained["sft"], judge, asked, run), _earned(trained["ppo"], judge, asked, run)
    yield "dpo", _preferred(trained["ppo"], asked, run), _preferred(trained["dpo"], asked, run)


def _requests(
    asked: Sequence[sample.Asked], choices: Callable[[sample.Asked], tuple[str, ...]]
) -> list[Request]:
    return [Request(one.id, _prompt(one), choices=choices(one)) for one in asked]


def _prompt(one: sample.Asked) -> str:
    words = WORDS[one.language]
    return f"{words.question}{one.question}\n{words.answer}"


def _wrong(one: sample.Asked) -> str:
    return next(choice for choice in one.choices if choice != one.answer)


def _losses(checkpoint: Path, run: RunContext) -> Values:
    """Return the loss a token of each sentence that is held out."""
    texts = [Request(id, text) for id, text in sample.statements() if id.endswith(f"-{HELD_OUT}")]
    with _opened(checkpoint, run) as session:
        found = list(session.perplexity(texts, GenerateSpec(), run))
    return [-(one.log_likelihood or 0.0) / one.tokens for one in found]


def _chosen(checkpoint: Path, asked: Sequence[sample.Asked], run: RunContext) -> Values:
    """Return for each question whether the likeliest of its four choices is right."""
    said = _choices(checkpoint, _requests(asked, lambda one: one.choices), run)
    return [float(said[one.id].text == one.answer) for one in asked]


def _preferred(checkpoint: Path, asked: Sequence[sample.Asked], run: RunContext) -> Values:
    """Return for each question whether its right answer is likelier than its wrong one."""
    said = _choices(checkpoint, _requests(asked, lambda one: (one.answer, _wrong(one))), run)
    return [float(said[one.id].text == one.answer) for one in asked]


def _choices(checkpoint: Path, requests: Sequence[Request], run: RunContext) -> Mapping[str, Completion]:
    with _opened(checkpoint, run) as session:
        return {said.request_id: said for said in session.choose(requests, GenerateSpec(), run)}


def _earned(checkpoint: Path, judge: Judge, asked: Sequence[sample.Asked], run: RunContext) -> Values:
    """Return what the model's answer to each question earns; the likeliest word is said each time."""
    with _opened(checkpoint, run) as session:
        spec = GenerateSpec(max_new_tokens=NEW_TOKENS)
        said = {
            one.request_id: one.text for one in session.generate(_requests(asked, lambda _: ()), spec, run)
        }
    return [judge(one, said[one.id].strip()) for one in asked]


def _opened(checkpoint: Path, run: RunContext) -> Any:
    return AiMed(AiMedOptions()).open(Checkpoint(checkpoint), run)


class Judge:
    """A reward model, asked what an answer to a question earns."""

    def __init__(self, checkpoint: Path, run: RunContext) -> None:
        plugin, spec = AiMed(AiMedOptions()), TrainSpec()
        loaded = plugin.ready(str(checkpoint), "fp32", run)
        self.learner = plugin.learner(loaded, spec, run)
        self.model = WithHead(loaded.model, words=False).eval()
        self.model.load(checkpoint)

    @torch.no_grad()
    def __call__(self, one: sample.Asked, answer: str) -> float:
        """Return what an answer earns."""
        row = answered(self.learner, Request(one.id, _prompt(one)), answer, causal=True)
        batch = {name: torch.tensor([values]) for name, values in row.items()}
        return float(reward_of(self.model, batch)[0])


def _row(stage: str, before: Values, after: Values) -> dict[str, str]:
    """Return the means before and after, and their paired difference."""
    one, two = (math.fsum(values) / len(values) for values in (before, after))
    gaps = [b - a for a, b in zip(before, after, strict=True)]
    error = 1.96 * statistics.stdev(gaps) / math.sqrt(len(gaps))
    scale = 100 if "%" in MEASURES[stage] else 1
    gap, spread = scale * (two - one), scale * error
    return {
        "before": f"{scale * one:.2f}",
        "after": f"{scale * two:.2f}",
        "difference": f"{gap:+.2f} ±{spread:.2f}",
    }
