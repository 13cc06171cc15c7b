"""Cards of text metrics."""
# ruff: noqa: E501 - cards are prose

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.api import MetricEntry

from .card import EMPTY_ZERO, NEEDS, SEVERAL, TOKENISATIONS, UNREPEATABLE, VOTES, WORDS, entry


def texts() -> list[MetricEntry]:
    """Return the cards of text metrics."""

    def card(name: str, summary: str, **facts: Any) -> MetricEntry:
        return entry("text", name, summary, **facts)

    found: list[MetricEntry] = []
    for n in (2, 4):
        bleu = card(
            f"bleu-{n}",
            f"corpus BLEU-{n}, no smoothing",
            definition=f"Clipped n-gram precisions up to {n} over the whole corpus, equal weights, times the brevity "
            f"penalty. {WORDS}",
            edge_cases="No shared word: 0. No shared n-gram of some order: about 1e-77 or less, not 0, as in nltk. "
            "A row without words still counts one n-gram of every order. Saying nothing costs brevity only, so "
            "it can beat a long wrong answer.",
            source="nltk corpus_bleu (Papineni et al., 2002)",
            silence_wins=True,
        )
        found += _variants(bleu, "scibert", "t5", "split", "zh", "jieba")
    meteor = card(
        "meteor",
        "mean METEOR",
        definition="Words aligned by equality, then Porter stem (NLTK's), then WordNet 3.0 synonym; harmonic mean "
        f"with recall weighted 9:1, less half the cubed share of chunks. {WORDS}",
        edge_cases=f"{EMPTY_ZERO}A perfect answer of n words scores 1 - 0.5/n³. {SEVERAL}",
        source="nltk meteor_score (Lavie and Agarwal, 2007)",
    )
    found += _variants(meteor, "scibert", "t5")
    for name, what in (("1", "words"), ("2", "pairs of words"), ("l", "the longest common subsequence")):
        rouge = card(
            f"rouge-{name}",
            f"mean ROUGE-{name.upper()} F1",
            definition=f"F1 of {what}, no stemming. Runs of a-z and 0-9 after lower-casing.",
            edge_cases=f"{EMPTY_ZERO}Text without ASCII letters and digits scores 0 even against itself. {SEVERAL}",
            source="rouge-score (Lin, 2004)",
        )
        found.append(rouge)
        for tokens in ("zh", "jieba"):
            found.append(
                replace(
                    rouge,
                    name=f"{rouge.name}@{tokens}",
                    summary=f"{rouge.summary} ({tokens})",
                    target=f"{rouge.target}_{tokens}",
                    definition=f"F1 of {what}. {TOKENISATIONS[tokens]}",
                    edge_cases=EMPTY_ZERO + SEVERAL,
                    requires=NEEDS.get(tokens, ()),
                )
            )
    return [
        *found,
        card(
            "rouge-lsum",
            "mean ROUGE-Lsum F1",
            definition="As rouge-l with lines as sentences, whose common subsequences are united.",
            edge_cases=f"{EMPTY_ZERO}Equal to rouge-l for texts of one line. {SEVERAL}",
            source="rouge-score (Lin, 2004)",
        ),
        card(
            "chrf",
            "corpus chrF2",
            definition="F2 of character n-grams up to 6 over the whole corpus, white space dropped.",
            edge_cases=f"{SEVERAL} All empty: 0. Saying nothing can beat a long wrong answer.",
            source="sacrebleu CHRF (Popović, 2015)",
            silence_wins=True,
        ),
        card(
            "sacrebleu",
            "sacreBLEU's BLEU",
            definition="Corpus BLEU-4 of sacrebleu: its 13a words, case kept, exponential smoothing.",
            edge_cases="All empty: 0. Saying nothing can beat a long wrong answer.",
            source="sacrebleu BLEU (Post, 2018)",
            requires=("sacrebleu",),
            silence_wins=True,
        ),
        card(
            "exact-match",
            "share of exact answers",
            definition="The answer equals a reference once white space at both ends is gone.",
            edge_cases="An empty answer is right only where a reference is empty.",
            source="ours",
            vote=VOTES["text"],
        ),
        *(
            card(
                f"distinct-{n}",
                f"distinct {what} over all {what}",
                reference_free=True,
                reads=(),
                definition=f"Different {what} of all answers together over their number. {WORDS}",
                edge_cases=f"No value where no answer has {n} words. Says how varied answers are, not how good. "
                f"{UNREPEATABLE}",
                source="Li et al., 2016",
                silence_wins=True,
            )
            for n, what in ((1, "words"), (2, "pairs of words"))
        ),
    ]


def _variants(card: MetricEntry, *tokenisations: str) -> list[MetricEntry]:
    """Return a card and its variants by tokenisation."""
    found = [card]
    for tokens in tokenisations:
        found.append(
            replace(
                card,
                name=f"{card.name}@{tokens}",
                summary=f"{card.summary} ({tokens})",
                target=f"{card.target}_{tokens}",
                definition=card.definition.replace(WORDS, TOKENISATIONS[tokens]),
                requires=NEEDS.get(tokens, ()),
            )
        )
    return found
