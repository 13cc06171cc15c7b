"""What must hold of a model: it learns, what it saved answers the same, and nothing depends on company."""

from __future__ import annotations

import gc
import math
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.api.errors import HarnessError
from harness.api.example import Completion, Request
from harness.api.model import ModelPlugin
from harness.api.rows import TrainData, TrainPair
from harness.api.run import Checkpoint, RunContext
from harness.api.spec import GenerateSpec, RunSpec, TrainSpec
from harness.engine.config import Asked, resolve
from harness.engine.stage import make_model

from .checking import Check, NotHere, want
from .loading import Item

WORDS = ("carbon", "oxygen", "iron", "zinc", "neon", "gold", "silver", "tin")
PAIRS = [TrainPair(f"Write backwards: {word}", word[::-1], {"word": word}) for word in WORDS]
REQUESTS = [Request(str(place), pair.prompt, pair.inputs) for place, pair in enumerate(PAIRS)]
STEPS = 12
CLOSE = 1e-4


class Stopped(BaseException):
    """Stands for a kill in the middle of a training."""


class Bench:
    """One model plugin with its first preset, trained on eight rows."""

    def __init__(self, item: Item, folder: Path) -> None:
        entry = item.entry
        if not entry.stages:
            raise NotHere("it does not train, and what it answers with is not here")
        registered = item.subject.registry.models.get(entry.name, near=item.subject.plugin)
        tasks = ["toy"]
        self.spec: RunSpec = resolve(Asked(), entry, entry.name, "toy", tasks, tasks, None).spec
        if "sft" not in entry.stages:
            raise NotHere("it has no supervised stage")
        stage = next((s for s in self.spec.train if s.stage == "sft"), TrainSpec())
        self.stage = replace(
            stage, stage="sft", max_steps=STEPS, epochs=None, eval_every=None, save_every=4, select_metric=""
        )
        self.stage = replace(self.stage, eval_limit=None, patience=None, warmup_steps=0.0, log_every=1)
        self.folder = folder
        self.plugin: ModelPlugin = make_model(registered, self.spec.model_options)

    def run(self, name: str, event: Callable[..., None] | None = None) -> RunContext:
        """Return a run in a folder of its own."""
        directory = self.folder / name
        directory.mkdir(parents=True, exist_ok=True)
        spec = replace(self.spec, device="cpu", generate=replace(self.spec.generate, precision="fp32"))
        return RunContext(directory, spec, event=event or (lambda kind, /, **facts: None))

    def train(self, name: str, event: Callable[..., None] | None = None) -> Checkpoint:
        """Train on the eight rows."""
        run = self.run(name, event)
        return self.plugin.train(TrainData(list(PAIRS), list(PAIRS[:2]), "eight"), self.stage, run)

    def answers(
        self, checkpoint: Checkpoint, requests: Sequence[Request] = (), **changes: Any
    ) -> dict[str, Completion]:
        """Ask a checkpoint."""
        run = self.run("asked")
        spec = replace(GenerateSpec(max_new_tokens=12), **changes)
        with self.plugin.open(checkpoint, run) as session:
            return {c.request_id: c for c in session.generate(list(requests) or REQUESTS, spec, run)}


def texts(found: Mapping[str, Completion]) -> dict[str, str]:
    """Return the texts of answers."""
    return {name: completion.text for name, completion in sorted(found.items())}


def the_loss_falls(item: Item, folder: Path) -> None:
    """Look at the losses of training on eight rows."""
    losses: list[float] = []

    def note(kind: str, /, **facts: Any) -> None:
        if kind == "train_step" and "loss" in facts:
            losses.append(float(facts["loss"]))

    Bench(item, folder).train("train", note)
    if len(losses) < 2:
        raise NotHere("it reports no losses")
    want(losses[-1] < losses[0], f"loss {losses[0]:.4g}, then {losses[-1]:.4g} after {STEPS} steps")


def what_is_saved_answers_again(item: Item, folder: Path) -> None:
    """Open a checkpoint twice, the second time from a copy elsewhere."""
    bench = Bench(item, folder)
    checkpoint = bench.train("train")
    first = texts(bench.answers(checkpoint))
    want(len(first) == len(REQUESTS), f"{len(first)} answers to {len(REQUESTS)} requests")
    moved = folder / "moved"
    shutil.copytree(checkpoint.path, moved)
    again = texts(bench.answers(replace(checkpoint, path=moved)))
    want(first == again, _difference(first, again))


def a_kill_changes_nothing(item: Item, folder: Path) -> None:
    """Stop a training in the middle, go on, and compare with one that ran through."""
    bench = Bench(item, folder)
    whole = texts(bench.answers(bench.train("whole")))
    steps = 0

    def stop(kind: str, /, **facts: Any) -> None:
        nonlocal steps
        steps += kind == "train_step"
        if steps == 7:
            raise Stopped

    try:
        bench.train("killed", stop)
    except Stopped:
        pass
    went_on = texts(bench.answers(bench.train("killed")))
    want(whole == went_on, _difference(whole, went_on))


def company_does_not_matter(item: Item, folder: Path) -> None:
    """Ask eight requests together, and each alone."""
    bench = Bench(item, folder)
    checkpoint = bench.train("train")
    together = texts(bench.answers(checkpoint))
    alone = {r.id: bench.answers(checkpoint, [r])[r.id].text for r in REQUESTS[:3]}
    want(all(together[name] == text for name, text in alone.items()), _difference(together, alone))


def stop_strings_end_an_answer(item: Item, folder: Path) -> None:
    """Stop at a letter that answers hold."""
    bench = Bench(item, folder)
    checkpoint = bench.train("train")
    said = texts(bench.answers(checkpoint))
    letters = [text[1] for text in said.values() if len(text) > 1 and text[1].strip()]
    if not letters:
        raise NotHere("no answer has two letters to stop at")
    stopped = texts(bench.answers(checkpoint, stop=(letters[0],)))
    held = [text for text in stopped.values() if letters[0] in text]
    want(not held, f"{held[:1]} after stop={letters[0]!r}")


def any_prompt_is_answered(item: Item, folder: Path) -> None:
    """Ask odd prompts."""
    bench = Bench(item, folder)
    checkpoint = bench.train("train")
    odd = ["药物 est-ce 🙂", "", " \n", "a" * 3000]
    requests = [Request(str(n), text, {"word": text}) for n, text in enumerate(odd)]
    found = bench.answers(checkpoint, requests)
    want(set(found) == {r.id for r in requests}, f"answers to {sorted(found)} of {len(requests)} prompts")
    want(all(isinstance(c.text, str) for c in found.values()), "an answer that is no text")


def likelihoods_are_probabilities(item: Item, folder: Path) -> None:
    """Score choices: no more than certain together, and the same in any order and company."""
    bench = Bench(item, folder)
    if not item.entry.chooses:
        raise NotHere("its entry says that it scores no choices")
    checkpoint = bench.train("train")
    run = bench.run("asked")
    choices = ("ab", "ba", "norac", "zz")
    asked = [replace(request, choices=choices) for request in REQUESTS[:3]]
    turned = [replace(request, choices=choices[::-1]) for request in asked]
    with bench.plugin.open(checkpoint, run) as session:
        try:
            one = {c.request_id: c.choice_scores for c in session.choose(asked, GenerateSpec(), run)}
        except HarnessError as error:
            raise NotHere(error.message) from error
        other = {c.request_id: c.choice_scores for c in session.choose(turned[:1], GenerateSpec(), run)}
    for scores in one.values():
        want(len(scores) == len(choices), f"{len(scores)} scores for {len(choices)} choices")
        want(all(map(math.isfinite, scores)), f"scores {scores}")
    left, right = one["0"], tuple(reversed(other["0"]))
    want(all(abs(a - b) < CLOSE for a, b in zip(left, right, strict=True)), f"{left}, turned round {right}")


def closing_frees_memory(item: Item, folder: Path) -> None:
    """Count tensors that are alive before and after a session."""
    bench = Bench(item, folder)
    checkpoint = bench.train("train")
    torch = sys.modules.get("torch")
    if torch is None:
        raise NotHere("it holds no tensors")

    def alive() -> int:
        gc.collect()
        return sum(o.numel() for o in gc.get_objects() if isinstance(o, torch.nn.Parameter))

    run = bench.run("asked")
    before = alive()
    session = bench.plugin.open(checkpoint, run)
    list(session.generate(REQUESTS[:1], GenerateSpec(max_new_tokens=2), run))
    session.close()
    left = alive() - before
    want(left <= 0, f"{left:,} parameters still held after close()")


def _difference(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    differing = [name for name in other if one.get(name) != other[name]]
    return "; ".join(f"request {name}: {one.get(name)!r:.60}, then {other[name]!r:.60}" for name in differing)


CHECKS = tuple(
    Check(name, wanted, to_do, look)
    for name, wanted, to_do, look in (
        (
            "learns",
            f"a lower loss after {STEPS} steps on eight rows",
            "check labels and learning rate; report losses with run.event('train_step', step=…, loss=…)",
            the_loss_falls,
        ),
        (
            "saves",
            "the same greedy answers from the checkpoint, wherever it lies",
            "write all that answering needs under run.directory, and name files relative to it",
            what_is_saved_answers_again,
        ),
        (
            "resumes",
            "a training that was killed ends like one that ran through",
            "train with harness.training.fit, or keep state and random numbers at each step",
            a_kill_changes_nothing,
        ),
        (
            "company",
            "the same greedy answer alone and among others",
            "mask padding, and generate with harness.decoding",
            company_does_not_matter,
        ),
        ("stop-strings", "no answer holds a stop string", "honour spec.stop", stop_strings_end_an_answer),
        (
            "any-prompt",
            "an answer to every prompt",
            "cut long prompts and say so in notes",
            any_prompt_is_answered,
        ),
        (
            "choices",
            "finite log-likelihoods that do not depend on the order of choices",
            "score choices with harness.decoding.choose, or set chooses=False in the entry",
            likelihoods_are_probabilities,
        ),
        ("frees-memory", "nothing held after close()", "let go of weights in close()", closing_frees_memory),
    )
)
