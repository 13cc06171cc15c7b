"""The same metrics as the libraries compute them, one by one: slow, and what the fast ones are held to.

`score --reference` uses these. They need `pip install 'assay-bench[reference]'`, transformers for SciBERT's
pieces, and for METEOR WordNet 3.0 where NLTK looks for it (NLTK_DATA).
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness import DataError, MissingDependency, Pairs, Score, UsageError

from . import tokens, vocab
from .rows import outputs, references
from .statistics import mean_score

Split = Callable[[str], list[str]]


def metric(name: str) -> Callable[[Pairs], Score]:
    """Return the library's version of a text metric."""
    base, _, tokenisation = name.partition("@")
    if base in ("bleu-2", "bleu-4"):
        return partial(bleu, name, int(base[-1]), tokenisation or "words")
    if base == "meteor":
        return partial(meteor, name, tokenisation or "words")
    if base in _ROUGE:
        return partial(rouge, name, _ROUGE[base], tokenisation or "rouge")
    known = ("bleu-2", "bleu-4", "meteor", *_ROUGE)
    raise UsageError(f"no reference implementation of '{name}'", hint=f"there are: {', '.join(known)}")


_ROUGE = {"rouge-1": "rouge1", "rouge-2": "rouge2", "rouge-l": "rougeL", "rouge-lsum": "rougeLsum"}


def bleu(metric: str, order: int, tokenisation: str, pairs: Pairs) -> Score:
    """Return nltk's `corpus_bleu` with equal weights and no smoothing."""
    translate = _import("nltk.translate.bleu_score")
    split = tokeniser(tokenisation, pairs)
    refs = [[split(text) for text in row] for row in references(pairs)]
    hyps = [split(text) for text in outputs(pairs)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an order without a match makes the whole score vanish
        value = translate.corpus_bleu(refs, hyps, weights=(1 / order,) * order)
    return Score(metric, float(value), len(pairs))


def meteor(metric: str, tokenisation: str, pairs: Pairs) -> Score:
    """Return the mean of nltk's `meteor_score`."""
    translate = _import("nltk.translate.meteor_score")
    split = tokeniser(tokenisation, pairs)
    values = []
    for refs, out in zip(references(pairs), outputs(pairs), strict=True):
        try:
            values.append(float(translate.meteor_score([split(text) for text in refs], split(out))))
        except (LookupError, OSError):
            raise DataError(
                "NLTK finds no WordNet", hint="put WordNet 3.0 at corpora/wordnet in a folder of NLTK_DATA"
            ) from None
    return mean_score(metric, values)


def rouge(metric: str, kind: str, tokenisation: str, pairs: Pairs) -> Score:
    """Return the mean F1 of rouge-score; `kind` is its name, such as rougeL."""
    library = _import("rouge_score.rouge_scorer")
    own = None if tokenisation == "rouge" else _Tokenizer(tokeniser(tokenisation, pairs))
    scorer = library.RougeScorer([kind], tokenizer=own)
    rows = zip(references(pairs), outputs(pairs), strict=True)
    return mean_score(metric, [float(scorer.score_multi(refs, out)[kind].fmeasure) for refs, out in rows])


class _Tokenizer:
    def __init__(self, split: Split) -> None:
        self.tokenize = split


def tokeniser(name: str, pairs: Pairs) -> Split:
    """Return a function that splits one text; SciBERT's is transformers' own tokenizer."""
    if name != "scibert":
        return tokens.lexicon(name, pairs).split
    path: Path = vocab.find(vocab.SCIBERT, pairs.vocab)
    tokenizer: Any = _import("transformers").BertTokenizer(vocab=str(path), do_lower_case=True)
    dropped = {"[PAD]", "[CLS]", "[SEP]"}
    # transformers 5 ignores truncation in `tokenize`, so the cut at 512 is made here.
    return lambda text: [piece for piece in tokenizer.tokenize(text)[:512] if piece not in dropped]


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingDependency(
            f"reference metrics need {module.split('.')[0]}, which is not installed",
            hint="pip install 'assay-bench[reference,train]'",
        ) from None
