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
from harness.tasks.medical_qa.task import HELD_OUT, compared
from harness.training.heads import WithHead
from harness.training.stages.preference import answered
from harness.training.stages.reward import reward_of

from .program import program, record

CHAIN = ("--model", "aimed", "--task", "medical_qa", "--preset", "tiny-full")
NEW_TOKENS = 24
METHOD = """One command trains all stages, each from the one before: `run-bench --model aimed --task
medical_qa --preset tiny-full`. `pretrain` is measured on a wording of each fact that is not read; `sft`
on the {test} questions of the test, about facts that no stage asks; `reward` and `dpo` on {held} questions
in a wording of which they compare no answers. `ppo` learns from what the reward model says of answers to
questions about facts whose answers no stage is shown, and is measured on {prompts} questions about them in
that same wording: what the likeliest answers earn, and how many are right. `KL` is that of sampled answers
from the model before. Further rows say what the reward model knows of the test's facts, which nobody
compared, and what PPO does there. Before `pretrain` the model is one step old; before `reward` all answers
earn the same, so that half are right. ± is 1.96 standard errors of the paired difference over rows. CPU
seconds of the whole command: {seconds}. The machine was shared, so that wall time says little."""
UNCOMPARED = ", facts of the test"  # whose answers nobody compared


def stages(work: Path, args: argparse.Namespace) -> None:
    """Train the chain for each seed, measure every stage and write the table."""
    table: list[dict[str, Any]] = []
    spent: list[str] = []
    test, held = list(sample.questions("test")), list(compared("validation"))
    prompts = list(compared("validation", ("judged",)))
    for seed in args.seeds.split(","):
        folder = work / f"chain-{seed}"
        training, fresh = _chain(folder, seed), _begun(folder, seed)
        trained = {stage["stage"]: Path(stage["directory"]) / "checkpoint" for stage in training}
        seconds = (folder / "cpu.txt").read_text(encoding="utf-8").split()
        spent.append(f"{sum(map(float, seconds)):.0f}")
        run = RunContext(folder, RunSpec("aimed", "medical_qa/short", device="cpu"))
        for stage, measure, before, after in _measured(trained, fresh, (test, held, prompts), run):
            facts = {"seed": seed, "stage": stage, "measure": measure}
            table.append(facts | _row(before, after, percent="%" in measure))
        table.append({"seed": seed, "stage": "ppo", "measure": "KL, nats an answer", **_away(training)})
    write(
        "medical-stages",
        "AiMed from nothing, stage by stage",
        table,
        command=f"python -m benchmarks.medical stages --seeds {args.seeds}",
        method=METHOD.format(test=len(test), held=len(held), prompts=len(prompts), seconds=", ".join(spent)),
        packages=("torch", "transformers"),
    )


def _chain(folder: Path, seed: str) -> Sequence[Mapping[str, Any]]:
    """Return what is recorded of each stage, trained by one command that goes on where it was stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.process_time()
    try:
        said = program(*CHAIN, "--seed", seed, "--output", folder / "runs", "--json")
    finally:
        with (folder / "cpu.txt").open("a", encoding="utf-8") as file:
            file.write(f"{time.process_time() - begun:.1f}\n")
    run = next(run for run in json.loads(said)["runs"] if run["task"] == "medical_qa/choice")
    found: Sequence[Mapping[str, Any]] = record(Path(run["directory"]))["training"]
    return found


def _away(training: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """Return how far PPO went from the model that it began with, on prompts that are held out."""
    gains = next(stage["gains"] for stage in training if stage["stage"] == "ppo")
    of_kl = next(gain for gain in gains if (gain["measure"], gain["rows"]) == ("kl", "held-out"))
    before, after = of_kl["before"], of_kl["after"]
    return {"before": f"{before:.2f}", "after": f"{after:.2f}", "difference": f"{after - before:+.2f}"}


def _begun(folder: Path, seed: str) -> Path:
    """Return the checkpoint of a model that has learned for one step."""
    said = program(
        *("train", *CHAIN, "--stage", "pretrain", "--max-steps", 1, "--seed", seed),
        *("--output", folder / "begun"),
    )
    return Path(said.rsplit(": ", 1)[1].strip()) / "checkpoint"


Values = Sequence[float]  # of each row


Asked = Sequence[sample.Asked]


def _measured(
    trained: Mapping[str, Path], fresh: Path, rows: Sequence[Asked], run: RunContext
) -> Iterator[tuple[str, str, Values, Values]]:
    """Yield each stage, by what it is measured, and its values before and after it."""
    test, held, prompts = rows
    yield "pretrain", "loss a token of held-out sentences", *_both(_losses, fresh, trained["pretrain"], run)
    told = (trained["pretrain"], trained["sft"])
    yield "sft", "right by the likelihood of choices, %", *_both(_chosen, *told, test, run)
    judge = Judge(trained["reward"], run)
    earning = (trained["sft"], trained["ppo"])
    for where, asked in ("", held), (UNCOMPARED, test):
        better = [float(judge(one, one.answer) > judge(one, one.wrong[0])) for one in asked]
        yield "reward", f"right answers that earn more, %{where}", [0.5] * len(asked), better
    for where, asked in ("", prompts), (UNCOMPARED, test):
        yield "ppo", f"what the model's answers earn{where}", *_both(_earned, *earning, judge, asked, run)
        yield "ppo", f"right answers, %{where}", *_both(_exact, *earning, asked, run)
    liking = (trained["ppo"], trained["dpo"])
    yield "dpo", "nats that right answers are likelier by", *_both(_margins, *liking, held, run)


def _both(measure: Callable[..., Values], before: Path, after: Path, *more: Any) -> tuple[Values, Values]:
    return measure(before, *more), measure(after, *more)


def _requests(asked: Asked, choices: Callable[[sample.Asked], tuple[str, ...]]) -> list[Request]:
    return [Request(one.id, _prompt(one), choices=choices(one)) for one in asked]


def _prompt(one: sample.Asked) -> str:
    words = WORDS[one.language]
    return f"{words.question}{one.question}\n{words.answer}"


def _losses(checkpoint: Path, run: RunContext) -> Values:
    """Return the loss a token of each sentence that is held out."""
    texts = [Request(id, text) for id, text in sample.statements() if id.endswith(f"-{HELD_OUT}")]
    with _opened(checkpoint, run) as session:
        found = list(session.perplexity(texts, GenerateSpec(), run))
    return [-(one.log_likelihood or 0.0) / one.new_tokens for one in found]


def _chosen(checkpoint: Path, asked: Asked, run: RunContext) -> Values:
    """Return for each question whether the likeliest of its four choices is right."""
    said = _choices(checkpoint, _requests(asked, lambda one: one.choices), run)
    return [float(said[one.id].text == one.answer) for one in asked]


def _margins(checkpoint: Path, asked: Asked, run: RunContext) -> Values:
    """Return by how many nats the right answer to each question is likelier than a wrong one."""
    said = _choices(checkpoint, _requests(asked, lambda one: (one.answer, one.wrong[0])), run)
    return [said[one.id].choice_scores[0] - said[one.id].choice_scores[1] for one in asked]


def _choices(checkpoint: Path, requests: Sequence[Request], run: RunContext) -> Mapping[str, Completion]:
    with _opened(checkpoint, run) as session:
        return {said.request_id: said for said in session.choose(requests, GenerateSpec(), run)}


def _earned(checkpoint: Path, judge: Judge, asked: Asked, run: RunContext) -> Values:
    """Return what the model's answer to each question earns."""
    said = _said(checkpoint, asked, run)
    return [judge(one, said[one.id]) for one in asked]


def _exact(checkpoint: Path, asked: Asked, run: RunContext) -> Values:
    """Return whether the model's answer to each question is the right one."""
    said = _said(checkpoint, asked, run)
    return [float(said[one.id] == one.answer) for one in asked]


def _said(checkpoint: Path, asked: Asked, run: RunContext) -> Mapping[str, str]:
    """Return the model's answer to each question, the likeliest word each time."""
    spec = GenerateSpec(max_new_tokens=NEW_TOKENS)
    with _opened(checkpoint, run) as session:
        found = session.generate(_requests(asked, lambda _: ()), spec, run)
        return {one.request_id: one.text.strip() for one in found}


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


def _row(before: Values, after: Values, *, percent: bool) -> dict[str, str]:
    """Return the means before and after, and their paired difference."""
    one, two = (math.fsum(values) / len(values) for values in (before, after))
    gaps = [b - a for a, b in zip(before, after, strict=True)]
    scale = 100 if percent else 1
    spread = scale * 1.96 * statistics.stdev(gaps) / math.sqrt(len(gaps))
    difference = f"{scale * (two - one):+.2f} ±{spread:.2f}"
    return {"before": f"{scale * one:.2f}", "after": f"{scale * two:.2f}", "difference": difference}
