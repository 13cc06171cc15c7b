"""Cards of metrics of answers, labels and choices."""
# ruff: noqa: E501 - cards are prose

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.api import MetricEntry
from harness.scoring.alphabet import VERSION as LETTERS_VERSION

from .card import EMPTY_ZERO, SEVERAL, VOTES, entry


def qa() -> list[MetricEntry]:
    """Return the cards of question-answering metrics."""

    def card(
        name: str,
        summary: str,
        definition: str,
        edge_cases: str,
        source: str,
        module: str = "qa",
        **more: Any,
    ) -> MetricEntry:
        facts = {"definition": definition, "edge_cases": edge_cases, "source": source} | more
        return entry(module, name, summary, kind="qa", **facts)

    squad = "lower-cased, without punctuation, articles and extra white space"
    mozi = "Mozi evaluate_v1; yes/no questions are left out"
    annotated: dict[str, Any] = {"reads": ("references", "annotations")}
    return [
        card(
            "qasper-f1",
            "mean answer F1",
            f"Token F1 with the best annotator; texts {squad}.",
            "'' against '' is 0. A missing prediction is 0, counted, and left out of the means by type.",
            "QASPER evaluator (Dasigi et al., 2021)",
            reads=("references", "annotations"),
        ),
        *(
            card(
                f"qasper-evidence-f1{suffix}",
                f"mean evidence F1{more}",
                f"Overlap of paragraphs with the best annotator{more}.",
                "Both lists empty: 1. Paragraphs given twice lower precision. A missing prediction is 0.",
                "QASPER evaluator",
                reads=("annotations", "passages", "evidence"),
            )
            for suffix, more in (("", ""), ("@text", ", tables and figures not wanted"))
        ),
        card(
            "squad-em",
            "share of equal answers",
            f"Equal to a reference; texts {squad}.",
            SEVERAL,
            "SQuAD 2",
            vote=VOTES["words"],
        ),
        card(
            "squad-f1",
            "mean token F1",
            f"Token F1; texts {squad}.",
            f"Two empty texts are equal. {SEVERAL}",
            "SQuAD 2",
        ),
        *(
            card(
                f"mozi-{part}",
                f"mean token {part}",
                f"Token {part}; texts {squad}.",
                SEVERAL,
                mozi,
                version=version,
                **annotated,
            )
            for part, version in (("precision", "2"), ("recall", "2"), ("f1", "1"))
        ),
        *(
            card(
                f"mozi-{part}@running",
                f"mean token {part}, a term a reference",
                f"Token {part} as the release summed it: each reference is a term, with the best one up to it.",
                "The order of the references counts, and questions with many count more.",
                mozi,
                **annotated,
            )
            for part in ("precision", "recall", "f1")
        ),
        card(
            "mozi-bleu",
            "mean sentence BLEU-4",
            "nltk sentence BLEU of white-space words.",
            "No smoothing.",
            mozi,
            **annotated,
        ),
        card(
            "mozi-rouge-lsum",
            "mean ROUGE-Lsum",
            "rouge-lsum against the first reference.",
            EMPTY_ZERO,
            mozi,
            **annotated,
        ),
        *(
            card(
                name,
                "mean BERTScore F1",
                "F1 of greedy matches of tokens by the cosine of their states in one layer of the encoder in "
                f"HARNESS_BERTSCORE; no weights of tokens, no rescaling.{more}",
                "Without an encoder no value. An empty text on either side: 0. Encoder and layer stand beside the "
                "number: with others it is another metric.",
                source,
                "bertscore",
                requires=("torch", "transformers"),
                **reads,
            )
            for name, more, source, reads in (
                ("bertscore", f" {SEVERAL}", "bert-score (Zhang et al., 2020)", {}),
                ("mozi-bertscore", " Against the first reference.", mozi, annotated),
            )
        ),
        card(
            "pubmedqa-accuracy",
            "share of right labels",
            "The answer equals the label once trimmed.",
            "An empty answer is wrong.",
            "PubMedQA evaluation (Jin et al., 2019)",
            "choice",
            reads=("references", "choices", "choice_scores"),
            vote=VOTES["choices"],
        ),
        card(
            "pubmedqa-macro-f1",
            "mean F1 of labels, invented ones included",
            "F1 of each label in truth or answers, meaned.",
            "A label that only answers have is one more class with F1 0.",
            "PubMedQA evaluation",
            "choice",
            reads=("references", "choices"),
        ),
    ]


def choices() -> list[MetricEntry]:
    """Return the cards of choice and label metrics."""

    def card(
        name: str, summary: str, definition: str, edge_cases: str, source: str = "ours", **facts: Any
    ) -> MetricEntry:
        reads = ("references", "choices", *facts.pop("more", ()))
        texts = {"definition": definition, "edge_cases": edge_cases, "source": source}
        module = facts.pop("module", "choice")
        return entry(module, name, summary, kind="choice", **{"reads": reads} | texts | facts)

    scored: dict[str, Any] = {"more": ("choice_scores",)}
    falling: dict[str, Any] = {"higher_is_better": False} | scored
    open_ended: dict[str, Any] = {"range": (1.0, None), "scale": 1.0, "higher_is_better": False}
    return [
        card(
            "accuracy",
            "share of right answers",
            "The likeliest choice where choices were scored, else the choices that the answer names, else the trimmed text, equals a reference.",
            "Equal log-likelihoods: the first choice. An empty answer is wrong. Of several right choices all must be named, or one be the likeliest.",
            **scored,
            vote=VOTES["choices"],
        ),
        card(
            "accuracy-norm",
            "share of right answers, likelihood by length",
            "As accuracy with each log-likelihood divided by the choice's number of characters.",
            "No scored choices: no value.",
            "lm-evaluation-harness acc_norm",
            **scored,
        ),
        *_letters(card),
        card(
            "ece",
            "expected calibration error",
            "Softmax of the choices' log-likelihoods, ten equal bins, weighted gap of confidence and accuracy.",
            "No scored choices: no value.",
            "Guo et al., 2017",
            silence_wins=True,
            **falling,
        ),
        card(
            "brier",
            "Brier score over all choices",
            "Summed squared difference of probability and truth over choices, meaned over rows.",
            "No scored choices: no value.",
            "Brier, 1950",
            range=(0.0, 2.0),
            scale=1.0,
            silence_wins=True,
            **falling,
        ),
        card(
            "macro-f1",
            "mean F1 of labels",
            "F1 of each label that references have, meaned.",
            "Another answer, or none, is a miss. 0/0 is 0.",
        ),
        card(
            "micro-f1",
            "F1 of labels together",
            "Counts of all labels that references have, then F1.",
            "An answer that is no label is not counted as chosen.",
        ),
        card(
            "mcc",
            "Matthews correlation",
            "Correlation of labels and answers, for any number of labels.",
            "0 where either side has one label only, which silence reaches and labels that are mixed up do not.",
            "Matthews, 1975; Gorodkin, 2004",
            range=(-1.0, 1.0),
            silence_wins=True,
        ),
        *(
            card(
                f"perplexity-{unit}",
                f"perplexity a {unit}",
                f"exp of the summed negative log-likelihood over the number of {unit}s of the references.",
                "A row without a log-likelihood leaves no value.",
                reads=("references", "log_likelihood", *(("tokens",) if unit == "token" else ())),
                **open_ended,
            )
            for unit in ("token", "word", "byte")
        ),
    ]


def _letters(card: Callable[..., MetricEntry]) -> list[MetricEntry]:
    def ours(*texts: str, **facts: Any) -> MetricEntry:
        return card(*texts, module="letters", version=LETTERS_VERSION, **facts)

    cards = [
        ours(
            "accuracy-letter",
            "share of right letters",
            "The first choice that the answer names, in any of the ways in which answers are given, is the right one.",
            "Nothing read: wrong. Details: the parse rate, and the share of right ones among what was read.",
            vote=VOTES["first_letter"],
        ),
        ours(
            "parse-rate",
            "share of answers that name a choice",
            "A choice can be read out of the answer: by letter or, where the choices are known, by text.",
            "A letter that no choice has names none. What is thought aloud is not read, nor is thinking that never ends.",
            reads=("choices",),
            ranked=False,
        ),
        ours(
            "abstention",
            "share of answers that decline",
            "The answer names no choice and says so: none of the above, cannot be determined, a refusal.",
            "Empty and torn answers are unread without declining.",
            reads=("choices",),
            silence_wins=True,
            higher_is_better=False,
            ranked=False,
        ),
        ours(
            "multi-answer-exact",
            "share of right sets of letters",
            "The choices that the answer names are the right ones, in any order.",
            "Nothing read: wrong. All or nothing.",
            vote=VOTES["choices"],
        ),
        ours(
            "letter-bias",
            "how unlike the right letters' spread",
            "Half the summed difference between the shares of letters chosen and right.",
            "Answers without a letter are left out; none at all: no value.",
            silence_wins=True,
            higher_is_better=False,
            ranked=False,
        ),
        ours(
            "permutation-consistency",
            "share of questions answered alike in every order of their choices",
            "All answers to one question, asked with its choices in several orders, name the same choice.",
            "A question with an unread answer is not consistent. Asked in one order only: no value.",
            reads=("choices", "meta[question]"),
            ranked=False,
        ),
    ]
    return [
        *cards,
        card(
            "accuracy-letter@mirage",
            "share of right letters, the unreadable counted as A",
            "MIRAGE's patterns on what follows the last answer_choice field; no match is an answer A.",
            "Details: how often it falls back to A, and how often that is right. An empty answer is an A.",
            "MIRAGE evaluate.py (Xiong et al., 2024)",
            module="letters",
            silence_wins=True,
            ranked=False,
        ),
        card(
            "multi-answer-exact@cmb",
            "share of right strings of letters",
            "The letters A-G that CMB's rule reads equal the reference as a string.",
            "Order counts. No letter equals an empty reference.",
            "CMB score.py (Wang et al., 2024)",
            module="letters",
            ranked=False,
        ),
    ]
