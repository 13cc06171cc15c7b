"""Short papers that nobody wrote: made from tables of facts, with questions, annotators and evidence.

A paper is about a made-up method on a made-up data set. Each fact stands in one paragraph, or is left out,
and then its question has no answer. Names and numbers of test papers occur in no training paper; their
vocabulary of tasks, networks, languages and phrases is shared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random

from harness import Passage

from .paper import UNANSWERABLE, Answer, Paper, Question

SIZES = {"train": 900, "validation": 20, "test": 60}  # papers
ASKED = 8  # questions a paper
ANNOTATORS = ("anna", "bela", "cleo")
TASKS = (
    "relation extraction", "question answering", "parsing", "summarization", "machine translation",
    "sentiment analysis", "dialogue", "entity linking", "paraphrase detection", "captioning",
)  # fmt: skip
NETWORKS = (
    "convolutional network", "recurrent network", "graph network", "transformer", "linear model",
    "mixture of experts", "memory network", "decision tree",
)  # fmt: skip
READS = ("characters", "bytes", "word pieces", "whole words", "syllables")
UNITS = ("sentences", "tweets", "abstracts", "questions", "dialogues", "reviews")
LANGUAGES = ("English", "Chinese", "Hindi", "Swahili", "German", "Arabic", "Finnish", "Turkish")
COUNTS = ("Two", "Three", "Four", "Five", "Six")
SETTLED = {
    "a vote": "disagreements were settled by a vote",
    "an expert": "an expert decided where they disagreed",
    "discussion": "they discussed every disagreement",
}
OPTIMIZERS = ("Adam", "Adagrad", "momentum", "RMSProp", "Muon")
METRICS = ("F1", "BLEU", "accuracy", "ROUGE", "recall")
_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"


@dataclass(frozen=True, slots=True)
class Fact:
    """What a paper says once: the paragraph with it, its questions, and what annotators answer."""

    heading: str
    paragraph: str
    questions: tuple[str, ...]
    kind: str
    answers: tuple[str, ...]  # in the words of one annotator each; the first is the fullest


class _Names:
    """Names and numbers, each given out once, so that no two papers share one."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._given: set[str] = set()

    def name(self) -> str:
        """Return a name of three syllables."""
        return self._once(
            lambda: "".join(
                self._random.choice(_CONSONANTS) + self._random.choice(_VOWELS) for _ in range(3)
            ).capitalize()
        )

    def number(self) -> str:
        """Return the size of a data set."""
        return self._once(lambda: f"{self._random.randrange(1_000, 60_000):,}")

    def _once(self, draw: object) -> str:
        while (made := draw()) in self._given:  # type: ignore[operator]
            pass
        self._given.add(made)
        return str(made)


@lru_cache(maxsize=1)
def sample() -> dict[str, list[Paper]]:
    """Return the papers of all splits; made once a process, in about a second."""
    random = Random(2027)  # drawn anew after the tiny preset of mozi had been settled on other papers
    names = _Names(random)
    return {
        split: [_paper(f"{split}-{number:04d}", random, names) for number in range(size)]
        for split, size in SIZES.items()
    }


def _paper(name: str, random: Random, names: _Names) -> Paper:
    method, task = names.name(), random.choice(TASKS)
    facts = _facts(random, names, method, task)
    stated = [random.random() < 0.8 for _ in facts]
    filler = _filler(random, names, task)
    paragraphs = [(fact.heading, fact.paragraph) for fact, there in zip(facts, stated, strict=True) if there]
    order = {heading: place for place, heading in enumerate(HEADINGS)}
    paragraphs = sorted([*paragraphs, *filler], key=lambda paragraph: order[paragraph[0]])
    passages = tuple(Passage(f"p{place}", text, heading) for place, (heading, text) in enumerate(paragraphs))
    ids = {passage.text: passage.id for passage in passages}
    chosen = random.sample(range(len(facts)), ASKED)
    questions = tuple(
        _question(f"{name}-q{number}", facts[place], ids, random) for number, place in enumerate(chosen)
    )
    return Paper(name, f"{method}: {task} reconsidered", filler[0][1], passages, questions)


HEADINGS = ("Introduction", "Related Work", "Data", "Model", "Training", "Results", "Conclusion")


def _facts(random: Random, names: _Names, method: str, task: str) -> list[Fact]:
    """Draw the facts of a paper."""
    network, reads = random.choice(NETWORKS), random.choice(READS)
    data, size, unit = names.name(), names.number(), random.choice(UNITS)
    language, base = random.choice(LANGUAGES), names.name()
    count, settled = random.choice(COUNTS), random.choice(tuple(SETTLED))
    optimizer, epochs = random.choice(OPTIMIZERS), random.randrange(5, 90)
    score, metric = f"{random.randrange(30, 98)}.{random.randrange(10)}", random.choice(METRICS)
    better, public, pretrained = (random.random() < 0.5 for _ in range(3))
    return [
        Fact(
            "Introduction",
            random.choice(
                (
                    f"We propose {method}, a {network} that reads {reads}, for {task}.",
                    f"This paper presents {method}. It is a {network} for {task} and reads {reads}.",
                )
            ),
            ("What do they propose?", "What does this paper present?", "Which kind of model is it?"),
            "abstractive",
            (f"a {network} over {reads}", f"a {network} for {task}"),
        ),
        Fact(
            "Data",
            random.choice(
                (
                    f"All experiments are run on the {data} corpus of {language} {unit}.",
                    f"We train and test on {data}, a collection of {unit} in {language}.",
                )
            ),
            (
                "Which corpus do they use?",
                "Which collection do they train and test on?",
                "What data are the experiments run on?",
            ),
            "extractive",
            (data, f"{data} corpus"),
        ),
        Fact(
            "Data",
            random.choice(
                (
                    f"There are {size} {unit}, of which one tenth is held out.",
                    f"After cleaning, {size} {unit} remain; each has one label.",
                )
            ),
            (
                "How many rows remain after cleaning?",
                "How many examples are there?",
                "How much data is there, and what is held out?",
            ),
            "extractive",
            (f"{size} {unit}", size),
        ),
        Fact(
            "Data",
            random.choice(
                (
                    f"{count} annotators labelled everything, and {SETTLED[settled]}.",
                    f"{count} annotators read each of the {unit}; {SETTLED[settled]}.",
                )
            ),
            (
                "Who labelled the data, and how were disagreements settled?",
                "How many annotators read it?",
                "How do they get the labels?",
            ),
            "abstractive",
            (f"by {count.lower()} annotators and {settled}", f"{count.lower()} annotators"),
        ),
        Fact(
            "Model",
            random.choice(
                (
                    "Word vectors " + ("are pretrained and then kept." if pretrained else "start at random."),
                    "The first layer "
                    + ("comes from an earlier model." if pretrained else "has no earlier training."),
                )
            ),
            (
                "Are word vectors pretrained?",
                "Does the first layer come from an earlier model?",
                "Is the input pretrained?",
            ),
            "boolean",
            ("Yes" if pretrained else "No",),
        ),
        Fact(
            "Training",
            random.choice(
                (
                    f"Weights are updated by {optimizer} with a small step and no decay.",
                    f"Learning uses {optimizer}; gradients are clipped at one.",
                )
            ),
            (
                "Which optimizer do they use?",
                "How are the weights updated?",
                "What learning method is it, and are gradients clipped?",
            ),
            "extractive",
            (optimizer,),
        ),
        Fact(
            "Training",
            random.choice(
                (
                    f"We stop after {epochs} epochs on a single machine.",
                    f"Each run takes {epochs} epochs, the best of which is kept.",
                )
            ),
            ("How long do they train?", "How many epochs do they need?", "When do they stop?"),
            "extractive",
            (f"{epochs} epochs", f"after {epochs} epochs"),
        ),
        Fact(
            "Results",
            random.choice(
                (
                    f"The strongest earlier system is {base}, which we run ourselves.",
                    f"We compare with {base}, the best of the earlier systems.",
                )
            ),
            ("What is the baseline?", "What do they compare with?", "Which earlier system is the strongest?"),
            "extractive",
            (base,),
        ),
        Fact(
            "Results",
            random.choice(
                (
                    f"On the test set we measure {score} {metric}.",
                    f"The final {metric} is {score} on held-out rows.",
                )
            ),
            (
                "What do they measure on the test set?",
                "What are the results?",
                "How good is the final model on held-out rows?",
            ),
            "extractive",
            (f"{score} {metric}", score),
        ),
        Fact(
            "Results",
            random.choice(
                (
                    f"{method} is {'ahead of' if better else 'behind'} every rival in all settings.",
                    f"In all settings {method} {'wins over' if better else 'loses to'} the older systems.",
                )
            ),
            (
                "Do they beat earlier work?",
                "Is it ahead of every rival?",
                "Does it win over the older systems?",
            ),
            "boolean",
            ("Yes" if better else "No",),
        ),
        Fact(
            "Conclusion",
            random.choice(
                (
                    f"Code and models {'are free for anyone' if public else 'cannot be shared'}.",
                    f"Our code is {'on a public page' if public else 'kept inside the company'}.",
                )
            ),
            ("Is the code public?", "Can others get the code and models?", "Is the code on a public page?"),
            "boolean",
            ("Yes" if public else "No",),
        ),
    ]


def _filler(random: Random, names: _Names, task: str) -> list[tuple[str, str]]:
    """Return paragraphs that answer nothing, and mention other people's models and data."""
    other, third = names.name(), names.name()
    return [
        ("Introduction", f"Much work on {task} needs more labels than most languages will ever have."),
        ("Related Work", f"{other} was the first system for {task} that learned from its own mistakes."),
        (
            "Related Work",
            f"Later, {third} collected {names.number()} {random.choice(UNITS)} for other purposes.",
        ),
        ("Results", f"Most errors are rare words, as {other} had found for {random.choice(LANGUAGES)}."),
        ("Conclusion", f"We hope that {task} will soon work for every language."),
    ]


def _question(name: str, fact: Fact, ids: dict[str, str], random: Random) -> Question:
    annotators = random.sample(ANNOTATORS, random.choice((1, 2, 2, 3)))
    there = fact.paragraph in ids
    evidence = (ids[fact.paragraph],) if there else ()
    answers = []
    for number, annotator in enumerate(annotators):
        text = fact.answers[0 if number == 0 else random.randrange(len(fact.answers))]
        if there:
            spans = (text,) if fact.kind == "extractive" else ()
            answers.append(Answer(fact.kind, text, evidence, annotator, spans, (fact.paragraph,)))
        else:
            answers.append(Answer("none", UNANSWERABLE, (), annotator))
    return Question(name, random.choice(fact.questions), tuple(answers))
