"""Where the first rows of the report's table of evidence come from: QASPER's own baselines, chosen anew."""

from __future__ import annotations

import random
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from benchmarks.report import write
from harness import Annotation, Example, Pairs, Prediction
from harness.metrics.qa import qasper_evidence_f1
from harness.metrics.ranking import evidence_f1_qasper_baselines

from .program import Papers, repeat

PRINTED = {"First": "0.34", "Random": "1.30", "TF-IDF": "9.20"}  # of Mozi's report, on test
SEED = 31045  # of the script of QASPER's baselines
Choose = Callable[[str], str]


def baselines(papers: Papers, args: Namespace) -> None:
    """Choose a paragraph a question as QASPER's baselines do, and score it in two ways."""
    chosen = list(_chosen(papers))
    rows = []
    for name, printed in PRINTED.items():
        pairs = Pairs([(example, Prediction(example.id, "", evidence=(by[name],))) for example, by in chosen])
        theirs, evaluator = evidence_f1_qasper_baselines(pairs).value, qasper_evidence_f1(pairs).value
        rows.append(
            {
                "baseline": name,
                "printed in the report": printed,
                "by the baselines' script": f"{100 * theirs:.2f}",
                "by QASPER's evaluator": f"{100 * evaluator:.2f}",
            }
        )
    write(
        "qasper-baselines",
        f"A paragraph for each of {len(chosen):,} questions of QASPER's test, by two definitions of F1",
        rows,
        command=repeat(args, "baselines"),
        method="Paragraphs are chosen as the script of QASPER's baselines chooses them (its seed, and "
        "scikit-learn's TF-IDF without English stop words; allenai/qasper-led-baseline). That script gives "
        "0 unless every annotator marked the paragraph; the evaluator takes whom it suits best.",
        packages=("scikit-learn",),
    )


def _chosen(papers: Papers) -> Iterator[tuple[Example, Mapping[str, str]]]:
    """Yield each question with what annotators marked, word for word, and the paragraph of each baseline."""
    drawn = random.Random(SEED)
    for paper in papers.values():
        paragraphs = [text for section in paper["full_text"] for text in section["paragraphs"]]
        nearest = _tfidf(paragraphs)
        for asked in paper["qas"]:
            marked = [Annotation("", tuple(given["answer"]["evidence"])) for given in asked["answers"]]
            example = Example(asked["question_id"], {}, ("",), annotations=tuple(marked))
            first, some, like = paragraphs[0], drawn.choice(paragraphs), nearest(asked["question"])
            yield example, {"First": first, "Random": some, "TF-IDF": like}


def _tfidf(paragraphs: Sequence[str]) -> Choose:
    try:
        kind: Any = import_module("sklearn.feature_extraction.text").TfidfVectorizer
    except ImportError:
        print("error: scikit-learn is not installed\nhint: pip install scikit-learn", file=sys.stderr)
        raise SystemExit(3) from None
    words = kind(decode_error="replace", strip_accents="unicode", stop_words="english")
    known = words.fit_transform(paragraphs)  # of unit length, so that products are cosines

    def nearest(question: str) -> str:
        likeness = (known @ words.transform([question]).T).toarray().ravel()
        return paragraphs[int(likeness.argsort()[-1])]

    return nearest
