"""A plugin that keeps nothing: each of its parts fails one check of the kit, and the good ones none."""

from __future__ import annotations

import itertools
import json
import random
from typing import ClassVar

from harness import (
    Checkpoint,
    Completion,
    Example,
    MetricEntry,
    ModelEntry,
    ModelPlugin,
    ModelSession,
    PromptFormat,
    Request,
    RetrieverEntry,
    Score,
    Task,
    TaskEntry,
    hookimpl,
)
from harness.api.retrieval import Hit, Index, Retriever

CLOCK = itertools.count()


def metric(name: str, **facts: object) -> MetricEntry:
    return MetricEntry(name, "a metric", f"{__name__}:{name.replace('-', '_')}", **facts)  # type: ignore[arg-type]


@hookimpl
def harness_metrics() -> list[MetricEntry]:
    names = (
        *("good", "upside-down", "first-row", "drifting", "too-large"),
        *("generous", "raw-reader", "typeless", "fragile"),
    )
    split = metric("m-split", definition="d", vote=f"{__name__}:each_for_itself")
    return [*(metric(f"m-{name}", definition="d") for name in names), metric("m-mute"), split]


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    names = (
        "Good",
        "Shuffled",
        "Miscounted",
        "Overlapping",
        "Leaking",
        "Moody",
        "Unlimited",
        "Twins",
        "Deaf",
        "Empty",
        "Bare",
    )
    return [TaskEntry(f"t-{name.lower()}", "a task", f"{__name__}:{name}") for name in names]


@hookimpl
def harness_models() -> list[ModelEntry]:
    names = ("Good", "Dull", "Homesick", "Forgetful", "Sociable", "Endless", "Picky", "Certain", "Hoarder")
    return [ModelEntry(f"x-{name.lower()}", "a model", f"{__name__}:Model{name}") for name in names]


@hookimpl
def harness_retrievers() -> list[RetrieverEntry]:
    names = ("Good", "Twice", "Upward", "Dice", "Brittle")
    return [RetrieverEntry(f"r-{name.lower()}", "a retriever", f"{__name__}:Find{name}") for name in names]


def shares(pairs):
    return tuple(float(p.text in e.references) for e, p in pairs)


def score(values, **facts):
    return Score("m", sum(values) / len(values) if values else None, len(values), tuple(values), **facts)


def m_good(pairs):
    """Share of right answers; undefined without rows."""
    return score(shares(pairs))


def m_upside_down(pairs):
    return score([1 - share for share in shares(pairs)])


def m_first_row(pairs):
    values = shares(pairs)
    return Score("m", values[0] if values else None, len(values))


def m_drifting(pairs):
    return score([share * (1 - next(CLOCK) / 1e6) for share in shares(pairs)])


def m_too_large(pairs):
    return score([100 * share for share in shares(pairs)])


def m_generous(pairs):
    return score([float(not p.text or p.text in e.references) for e, p in pairs])


def m_raw_reader(pairs):
    return score([float(p.raw in e.references) for e, p in pairs])


def m_typeless(pairs):
    values = shares(pairs)
    return Score("m", sum(values) / len(values) if values else None, len(values), values[:1])


def m_fragile(pairs):
    """Break without rows."""
    values = shares(pairs)
    return Score("m", sum(values) / len(values), len(values), values)


def m_mute(pairs):
    return score(shares(pairs))


def m_split(pairs):
    return score(shares(pairs))


def each_for_itself(pairs):
    """Take no two answers for the same."""
    return [next(CLOCK) for _ in pairs]


class Good(Task):
    metrics = ("m-good",)
    licence = "CC0-1.0"
    prompt_format = PromptFormat("bad", "after {word}")

    def examples(self, split):
        for number in range(4):
            yield Example(f"{split}{number}", {"word": f"{split} {number}"}, (str(number),))


class Shuffled(Good):
    def examples(self, split):
        yield from random.sample(list(super().examples(split)), 4)


class Miscounted(Good):
    def check(self):
        from harness import DataReport

        return DataReport({"train": 1})


class Overlapping(Good):
    def examples(self, split):
        for number in range(4):
            yield Example(f"{split}{number}", {"word": str(number)}, (str(number),))


class Leaking(Good):
    def request(self, example, prompt):
        return Request(example.id, prompt, {**example.inputs, "hint": example.references[0]})


class Moody(Good):
    prompt_format = None

    def prompt(self, example):
        return f"{example.inputs['word']} {next(CLOCK)}"


class Unlimited(Good):
    """Its rows come in another order each time it is opened."""

    def __init__(self, data=None, options=None):
        super().__init__(data, options)
        self.turn = next(CLOCK)

    def examples(self, split):
        rows = list(super().examples(split))
        yield from rows[self.turn % 4 :] + rows[: self.turn % 4]


class Twins(Good):
    def examples(self, split):
        for number in range(4):
            yield Example(f"{split}{number}", {"word": split, "n": str(number)}, (str(number),))


class Deaf(Good):
    def answer(self, text, request):
        return json.loads(text)


class Empty(Good):
    def target(self, example):
        return ""


class Bare(Good):
    licence = ""


class ModelGood(ModelPlugin):
    """Counts nothing and says the word backwards; its loss falls because it says so."""

    losses = True

    def train(self, data, spec, run):
        folder = run.directory / "checkpoint"
        folder.mkdir(parents=True, exist_ok=True)
        for step in range(spec.max_steps):
            run.event("train_step", step=step, loss=1.0 / (1 + step) if self.losses else 1.0 + step)
        self.keep(folder)
        return Checkpoint(folder)

    def keep(self, folder):
        (folder / "model.json").write_text('""')

    def open(self, checkpoint, run):
        return Asked(self, json.loads((checkpoint.path / "model.json").read_text()))

    def say(self, request, others, spec):
        from harness import until

        return until((request.prompt.split() or [""])[-1][::-1], spec.stop)[0]

    def likely(self, choice, place):
        return -float(len(choice))


class Asked(ModelSession):
    def __init__(self, model, kept):
        self.model, self.kept = model, kept

    def generate(self, requests, spec, run):
        for request in requests:
            yield Completion(request.id, self.model.say(request, len(requests), spec) + str(self.kept))

    def choose(self, requests, spec, run):
        for r in requests:
            scores = tuple(self.model.likely(choice, place) for place, choice in enumerate(r.choices))
            yield Completion(r.id, r.choices[0], "choice", choice_scores=scores)


class ModelDull(ModelGood):
    losses = False


class ModelHomesick(ModelGood):
    def open(self, checkpoint, run):
        return Asked(self, "" if checkpoint.path.name == "checkpoint" else "moved")


class ModelForgetful(ModelGood):
    def keep(self, folder):
        (folder / "model.json").write_text(str(next(CLOCK)))


class ModelSociable(ModelGood):
    def say(self, request, others, spec):
        return super().say(request, others, spec) + ("!" if others > 1 else "")


class ModelEndless(ModelGood):
    def say(self, request, others, spec):
        return (request.prompt.split() or [""])[-1][::-1]


class ModelPicky(ModelGood):
    def say(self, request, others, spec):
        return request.prompt.split()[-1][::-1]


class ModelCertain(ModelGood):
    def likely(self, choice, place):
        return float(place)


class ModelHoarder(ModelGood):
    kept: ClassVar[list[object]] = []

    def open(self, checkpoint, run):
        import torch

        self.kept.append(torch.nn.Linear(8, 8))
        return super().open(checkpoint, run)


class Texts(Index):
    def __init__(self, texts, find):
        self.texts, self.find = texts, find

    def search(self, query, k):
        return self.find(self.texts, query, k)


class FindGood(Retriever):
    def index(self, texts):
        return Texts(texts, self.find)

    def find(self, texts, query, k):
        return [Hit(place, -float(place)) for place in range(min(k, len(texts)))]


class FindTwice(FindGood):
    def find(self, texts, query, k):
        return [Hit(0, 1.0)] * min(k, len(texts))


class FindUpward(FindGood):
    def find(self, texts, query, k):
        return [Hit(place, float(place)) for place in range(min(k, len(texts)))]


class FindDice(FindGood):
    def find(self, texts, query, k):
        return sorted((Hit(p, random.random()) for p in range(min(k, len(texts)))), key=lambda h: -h.score)


class FindBrittle(FindGood):
    def find(self, texts, query, k):
        return super().find(texts, query, k) if query.strip() else 1 / 0
