"""Texts as arrays of token numbers, under each tokenisation that a metric's name may mention.

`words`    cleaned, accents dropped, lower-cased; a token is a run of letters and digits, a single
           punctuation mark, or one Chinese ideograph. Needs nothing but Python.
`scibert`  the same words cut into SciBERT's word pieces, at most 512, special tokens dropped.
`t5`       T5's sentence pieces, not cut short.
`split`    what stands between white space.
`zh`       characters without white space, for Chinese.
`jieba`    words that jieba finds, for Chinese.
`rouge`    runs of a-z and 0-9 after lower-casing, as rouge-score has it.
`char`     every character, for SMILES.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import MissingDependency, Pairs, UsageError, nearest

from . import vocab
from .rows import Ints, cached, shared

# Texts that are split together, and words that are cut into pieces together: they bound memory.
TEXTS, WORDS = 1 << 12, 1 << 17


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The tokens of many texts end to end; text i is `ids[bounds[i]:bounds[i + 1]]`."""

    ids: Ints
    bounds: Ints

    @property
    def lengths(self) -> Ints:
        """Return the number of tokens of each text."""
        return np.diff(self.bounds)

    def take(self, chosen: Ints) -> Tokens:
        """Return the tokens of chosen texts, which may repeat."""
        lengths = self.lengths[chosen]
        ends = np.concatenate(([0], np.cumsum(lengths)))
        within = np.arange(ends[-1]) - np.repeat(ends[:-1], lengths)
        return Tokens(self.ids[np.repeat(self.bounds[chosen], lengths) + within], ends)

    def part(self, start: int, stop: int) -> Tokens:
        """Return the tokens of adjacent texts."""
        bounds = self.bounds[start : stop + 1]
        return Tokens(self.ids[bounds[0] : bounds[-1]], bounds - bounds[0])

    def where(self, keep: NDArray[np.bool_]) -> Tokens:
        """Return the tokens that are to be kept, in the same texts."""
        if keep.all():
            return self
        kept = np.concatenate(([0], np.cumsum(keep)))
        return Tokens(self.ids[keep], kept[self.bounds])

    def owners(self) -> Ints:
        """Return for each token the text that it is in."""
        return np.repeat(np.arange(len(self.bounds) - 1), self.lengths)


def joined(a: Tokens, b: Tokens) -> Tokens:
    """Return the texts of `a` followed by those of `b`."""
    return Tokens(np.concatenate((a.ids, b.ids)), np.concatenate((a.bounds, b.bounds[1:] + a.bounds[-1])))


class Index(dict[str, int]):
    """Numbers for strings in the order in which they are first asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.strings: list[str] = []

    def __missing__(self, key: str) -> int:
        number = self[key] = len(self.strings)
        self.strings.append(key)
        return number

    def numbers(self, keys: Iterable[str], count: int) -> Ints:
        """Return the numbers of many strings."""
        return np.fromiter(map(self.__getitem__, keys), dtype=np.int64, count=count)


class Lexicon:
    """A tokenisation that numbers its tokens; texts seen before are not tokenised again."""

    def __init__(self, split: Callable[[str], list[str]], index: Index | None = None) -> None:
        """Take the function that splits one text, and the numbering where it is shared."""
        self.split = split
        self.index = Index() if index is None else index
        self._kept: dict[tuple[str, ...], Tokens] = {}

    @property
    def strings(self) -> list[str]:
        """Return the token behind each number."""
        return self.index.strings

    def encode(self, texts: tuple[str, ...]) -> Tokens:
        """Return the tokens of some texts."""
        return cached(self._kept, texts, lambda: self._encode(texts))

    def _encode(self, texts: tuple[str, ...]) -> Tokens:
        ids, lengths = [np.zeros(0, dtype=np.int64)], list[int]()
        for start in range(0, len(texts), TEXTS):
            lists = list(map(self.split, texts[start : start + TEXTS]))
            sizes = list(map(len, lists))
            ids.append(self.index.numbers(chain.from_iterable(lists), sum(sizes)))
            lengths += sizes
        return Tokens(np.concatenate(ids), _bounds(lengths))

    def _replaced(self, tokens: Tokens, texts: tuple[str, ...], odd: list[int]) -> Tokens:
        """Split the odd texts by this lexicon's own rule and put them among the others."""
        if not odd:
            return tokens
        own = Lexicon._encode(self, tuple(texts[i] for i in odd))
        order = np.arange(len(texts))
        order[odd] = len(texts) + np.arange(len(odd))
        return joined(tokens, own).take(order)


class RougeWords(Lexicon):
    """Runs of a-z and 0-9: the words of plain ASCII text without its punctuation marks."""

    def __init__(self, base: Lexicon) -> None:
        """Take the lexicon of words, whose work is used again."""
        super().__init__(rouge_words, base.index)
        self._base = base

    def _encode(self, texts: tuple[str, ...]) -> Tokens:
        tokens = self._base.encode(texts)
        plain = np.fromiter((word.isalnum() for word in self.strings), dtype=bool, count=len(self.strings))
        odd = [i for i, text in enumerate(texts) if _ODD.search(text)]
        return self._replaced(tokens.where(plain[tokens.ids]), texts, odd)


class WordPieces(Lexicon):
    """SciBERT's word pieces: words by rule, then the longest pieces of its vocabulary from the left."""

    LIMIT = 512
    DROPPED = ("[PAD]", "[CLS]", "[SEP]")

    def __init__(self, path: Path, base: Lexicon) -> None:
        """Read the vocabulary; take the lexicon of words, whose work is used again."""
        super().__init__(bert_words, base.index)
        self._base = base
        self._pieces = path.read_text(encoding="utf-8").split("\n")
        self._number = dict(zip(self._pieces, range(len(self._pieces)), strict=True))
        self._longest = max(map(len, self._pieces))
        self._of_word: list[list[int]] = []
        self._kept_pieces = np.ones(len(self._pieces), dtype=bool)
        self._kept_pieces[[self._number[piece] for piece in self.DROPPED]] = False

    @property
    def strings(self) -> list[str]:
        """Return the piece behind each number."""
        return self._pieces

    def _encode(self, texts: tuple[str, ...]) -> Tokens:
        return self._trim(self.pieces(texts))

    def pieces(self, texts: tuple[str, ...]) -> Tokens:
        """Return all pieces of some texts, neither cut short nor cleared of special tokens."""
        odd = [i for i, text in enumerate(texts) if "[" in text and _SPECIAL.search(text)]
        words = self._replaced(self._base.encode(texts), texts, odd)
        self._of_word += map(self._cut, self.index.strings[len(self._of_word) :])
        table = Tokens(
            np.fromiter(chain.from_iterable(self._of_word), dtype=np.int64),
            _bounds(list(map(len, self._of_word))),
        )
        parts = [
            table.take(words.ids[start : start + WORDS]).ids for start in range(0, len(words.ids), WORDS)
        ]
        ends = _bounds(table.lengths[words.ids])
        return Tokens(np.concatenate([*parts, np.zeros(0, dtype=np.int64)]), ends[words.bounds])

    def _cut(self, word: str) -> list[int]:
        if word in self._number:
            return [self._number[word]]
        if len(word) > 100:
            return [self._number["[UNK]"]]
        found, rest, least = [], word, 1
        while len(rest) >= least:
            for end in range(min(len(rest), self._longest), least - 1, -1):
                number = self._number.get(rest[:end])
                if number is not None:
                    break
            else:
                return [self._number["[UNK]"]]
            found.append(number)
            rest, least = "##" + rest[end:], 3
        return found

    def _trim(self, tokens: Tokens) -> Tokens:
        keep = self._kept_pieces[tokens.ids]
        if (tokens.lengths > self.LIMIT).any():
            position = np.arange(len(tokens.ids)) - np.repeat(tokens.bounds[:-1], tokens.lengths)
            keep &= position < self.LIMIT
        return tokens.where(keep)


def lexicon(name: str, pairs: Pairs) -> Lexicon:
    """Return the tokenisation of that name; one object a scoring."""
    return cached(shared(pairs), ("lexicon", name), lambda: _make(name, pairs))


def _make(name: str, pairs: Pairs) -> Lexicon:
    if name == "scibert":
        return WordPieces(vocab.find(vocab.SCIBERT, pairs.vocab), lexicon("words", pairs))
    if name == "rouge":
        return RougeWords(lexicon("words", pairs))
    if name == "t5":
        return Lexicon(_sentence_pieces(vocab.find(vocab.T5, pairs.vocab)))
    if name == "jieba":
        return Lexicon(_jieba())
    rules: dict[str, Callable[[str], list[str]]] = {
        "words": words,
        "split": str.split,
        "zh": characters,
        "rouge": rouge_words,
        "char": list,
    }
    if name not in rules:
        raise UsageError(f"no tokenisation named '{name}'", hint=nearest(name, rules))
    return Lexicon(rules[name])


_ODD = re.compile(r"[^\t\n\r -~]")
_SPECIAL = re.compile(r"(\[(?:PAD|UNK|CLS|SEP|MASK)\])")
_ASCII_WORDS = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]").findall
_ROUGE_WORDS = re.compile(r"[a-z0-9]+").findall


def words(text: str) -> list[str]:
    """Return the words of a text: the rule-based tokenisation that needs no vocabulary."""
    if _ODD.search(text) is None:
        return _ASCII_WORDS(text.lower())
    return _isolated(_normal(text)).split()


def bert_words(text: str) -> list[str]:
    """Return the words of a text with BERT's special tokens kept whole, as its tokenizer does."""
    if "[" not in text or (parts := _SPECIAL.split(text)) == [text]:
        return words(text)
    # The split pattern is captured, so every odd part is a special token.
    return [word for i, part in enumerate(parts) for word in ([part] if i % 2 else words(part))]


def rouge_words(text: str) -> list[str]:
    """Return the runs of a-z and 0-9 of the lower-cased text."""
    return _ROUGE_WORDS(text.lower())


def characters(text: str) -> list[str]:
    """Return the characters of a text without white space."""
    return [c for c in text if not c.isspace()]


def _normal(text: str) -> str:
    cleaned = []
    for c in text:
        if c in "\t\n\r" or (category := unicodedata.category(c)) == "Zs":
            cleaned.append(" ")
        elif c == "\ufffd" or category[0] == "C":
            continue
        elif c.isspace():
            cleaned.append(" ")
        else:
            cleaned.append(f" {c} " if _is_ideograph(ord(c)) else c)
    decomposed = unicodedata.normalize("NFD", "".join(cleaned))
    return "".join(c.lower() for c in decomposed if unicodedata.category(c) != "Mn")


def _isolated(text: str) -> str:
    return "".join(f" {c} " if _is_punctuation(c) else c for c in text)


def _is_punctuation(c: str) -> bool:
    if c.isascii():
        return c.isprintable() and not c.isalnum() and c != " "
    return unicodedata.category(c)[0] == "P"


def _is_ideograph(code: int) -> bool:
    return any(low <= code <= high for low, high in _IDEOGRAPHS)


_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def _sentence_pieces(path: Path) -> Callable[[str], list[str]]:
    try:
        from sentencepiece import SentencePieceProcessor  # optional: only T5's pieces need it
    except ImportError:
        raise MissingDependency(
            "T5's word pieces need sentencepiece, which is not installed", hint="pip install sentencepiece"
        ) from None
    processor: Any = SentencePieceProcessor(model_file=str(path))

    def split(text: str) -> list[str]:
        legal = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate has no UTF-8
        return list(processor.encode(legal, out_type=str))

    return split


def _jieba() -> Callable[[str], list[str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is older than Python's present rules for strings
            import jieba  # optional: a dictionary of 350,000 Chinese words
    except ImportError:
        raise MissingDependency("jieba is not installed", hint="pip install 'assay-bench[chinese]'") from None
    jieba.setLogLevel(60)

    def split(text: str) -> list[str]:
        return [word for word in jieba.lcut(text) if not word.isspace()]

    return split


def _bounds(lengths: list[int] | Ints) -> Ints:
    return np.concatenate(([0], np.cumsum(np.array(lengths, dtype=np.int64))))
