"""A vocabulary grown by the words of a field: learned from a text, merged into a base, begun from its rows.

Pieces are learned by SentencePiece and words counted by jieba; both become tokens behind those that are
there, each reachable by merges of its own behind the base's. A new row of the model begins as the mean of
those that spelt it before.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from harness import training
from harness.api import DataError, MissingDependency, UsageError
from harness.files.digests import file_digest
from harness.files.folders import whole_folder
from harness.files.json_files import read_json, write_json
from harness.language_models import load
from harness.language_models.plugin import GROWN_FROM
from harness.training.rows import Corpus

from .merging import bytes_of, refuse_taken, stored_dtype

SPACE = "▁"
STALE = ("tokenizer.model", "vocab.json", "merges.txt")  # what tokenizer.json says anew
MEASURED = 2000  # documents whose tokens are counted before and after
LEAST_HAN = 2  # characters of a word that is worth a token


@dataclass(frozen=True, slots=True)
class Grown:
    """New tokens, tokens of the first documents before and after, and the bytes of the weights."""

    new: int
    before: int
    after: int
    size: int


def grow(source: str, target: Path, text: Path, *, pieces: int, words: int) -> Grown:
    """Write a model whose tokenizer knows the pieces and words of a text; its new rows are yet to learn."""
    refuse_taken(target)
    found = _learned(target, text, pieces, words)
    model, base = load(source, stored_dtype(source))
    spelling = Spelling(base)
    if not (new := spelling.learn(found)):
        raise UsageError(
            f"{source} knows every piece of {text} already, or parts texts so that none would be met whole",
            hint="another text, or more --pieces",
        )
    with whole_folder(target) as folder:
        tokenizer = _written(base, spelling, folder)
        _begin_rows(model, new, spelling.first)
        model.save_pretrained(folder)
        lines = [document.text for document in islice(Corpus(text), MEASURED)]
        before, after = (sum(len(t(line)["input_ids"]) for line in lines) for t in (base, tokenizer))
    _kept(target).unlink(missing_ok=True)
    return Grown(len(new), before, after, bytes_of(model))


def _kept(target: Path) -> Path:
    return target.with_name(f".{target.name}.pieces.json")


def _learned(target: Path, text: Path, pieces: int, words: int) -> list[str]:
    """Return pieces, then words; they are kept beside the target until it is whole, for the next attempt."""
    if not text.is_file():
        raise DataError(f"there is no text at {text}", hint="a .txt or .jsonl file in the field's own words")
    key = [file_digest(text), pieces, words]
    if _kept(target).exists() and (kept := read_json(_kept(target)))["key"] == key:
        return list(kept["found"])
    found = [*(learn_pieces(text, pieces) if pieces else ()), *(count_words(text, words) if words else ())]
    write_json(_kept(target), {"key": key, "found": found})
    return found


def learn_pieces(text: Path, size: int) -> list[str]:
    """Return the pieces that SentencePiece learns from a text, in the order in which it learned them."""
    import sentencepiece  # here and below, because only this needs it

    written = io.BytesIO()
    lines = (line for document in Corpus(text) for line in document.text.splitlines() if line.strip())
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=lines, model_writer=written, model_type="bpe", vocab_size=size,
            byte_fallback=True, character_coverage=0.9995, normalization_rule_name="nfkc",
            hard_vocab_limit=False, max_sentence_length=100_000, minloglevel=2,
        )  # fmt: skip
    except RuntimeError as error:
        least = re.search(r"\d+ vs (\d+)", str(error))
        raise UsageError(
            f"SentencePiece learns no {size} pieces from {text}",
            hint=f"its characters alone are {least[1]}" if least else str(error).splitlines()[0],
        ) from error
    model = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    plain = (
        n for n in range(len(model)) if not (model.is_control(n) or model.is_byte(n) or model.is_unknown(n))
    )
    ranked = sorted(plain, key=lambda n: -model.get_score(n))
    return [piece for piece in map(model.id_to_piece, ranked) if piece.strip(SPACE)]


def count_words(text: Path, count: int) -> list[str]:
    """Return the most frequent Chinese words of a text, as jieba parts it."""
    try:
        jieba: Any = import_module("jieba")
    except ImportError as error:
        raise MissingDependency(
            "Chinese words need jieba", hint="pip install 'assay-bench[chinese]'"
        ) from error
    jieba.setLogLevel("ERROR")
    seen = Counter(word for document in Corpus(text) for word in jieba.cut(document.text) if _is_word(word))
    return [word for word, _ in sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:count]]


def _is_word(text: str) -> bool:
    return len(text) >= LEAST_HAN and all("\u4e00" <= char <= "\u9fff" for char in text)


class Spelling:
    """A byte-pair vocabulary with its merges, to which words are added behind what is there."""

    def __init__(self, tokenizer: Any) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        self.state: dict[str, Any] = json.loads(backend.to_str()) if backend is not None else {}
        self._model = self.state.get("model", {"type": "of no kind that is known"})
        if self._model["type"] != "BPE":
            raise UsageError(
                f"the tokenizer's vocabulary is {self._model['type']}; only one of byte pairs (BPE) can grow"
            )
        self.vocabulary: dict[str, int] = self._model["vocab"]
        self.first = self.next = len(tokenizer)
        pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in self._model["merges"]]
        self._ranks = {(left, right): rank for rank, (left, right) in enumerate(pairs)}
        self._base = len(self._ranks)
        self._as_bytes = "ByteLevel" in json.dumps(self.state["pre_tokenizer"])
        parted: Any = getattr(backend, "pre_tokenizer", None)
        self._parted = parted.pre_tokenize_str if parted is not None else None

    def learn(self, words: Sequence[str]) -> dict[str, list[int]]:
        """Add words; return each new token with the old ones that spelt it. What is never met is left out."""
        new: dict[str, list[int]] = {}
        for word in words:
            spelt = self._spelt(word)
            if spelt is None or spelt in self.vocabulary:
                continue
            for char in spelt:
                if char not in self.vocabulary:
                    self._add(char, new)
            parts = self._parts(spelt)
            while len(parts) > 1:
                left, right, *rest = parts
                if left + right not in self.vocabulary:
                    self._add(left + right, new)
                self._ranks[left, right] = len(self._ranks)
                parts = [left + right, *rest]
        self._model["merges"] = [list(pair) for pair in self._ranks]
        return new

    def _spelt(self, word: str) -> str | None:
        """Return a word in the vocabulary's own letters; None where it would never be met whole."""
        if not self._as_bytes:
            return word
        plain = word.replace(SPACE, " ")
        parts = self._parted(plain) if self._parted else [(plain, (0, 0))]
        return parts[0][0] if len(parts) == 1 else None

    def _add(self, token: str, new: dict[str, list[int]]) -> None:
        new[token] = self._ids(token)
        self.vocabulary[token] = self.next
        self.next += 1

    def _ids(self, token: str) -> list[int]:
        """Return the base's tokens for a text: by its own merges, and by bytes where it has no letter."""
        found: list[int] = []
        for part in self._parts(token, most=self._base):
            known = self.vocabulary.get(part, self.first)
            as_bytes = [self.vocabulary.get(f"<0x{byte:02X}>") for byte in part.encode()]
            found += [known] if known < self.first else [n for n in as_bytes if n is not None]
        return found

    def _parts(self, word: str, most: int | None = None) -> list[str]:
        """Part a word by the first merges there are, or by all."""
        limit = len(self._ranks) if most is None else most
        parts = list(word)
        while len(parts) > 1:
            ranks = [self._ranks.get(pair, limit) for pair in pairwise(parts)]
            if (best := min(ranks)) >= limit:
                break
            place = ranks.index(best)
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        return parts


def _written(tokenizer: Any, spelling: Spelling, folder: Path) -> Any:
    """Write the tokenizer with its new vocabulary, and read it back."""
    tokenizer.save_pretrained(folder)
    for name in STALE:
        (folder / name).unlink(missing_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(spelling.state, ensure_ascii=False), encoding="utf-8")
    config = folder / "tokenizer_config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(
        json.dumps(settings | {GROWN_FROM: spelling.first}, indent=1, ensure_ascii=False), encoding="utf-8"
    )
    grown = AutoTokenizer.from_pretrained(folder)
    if len(grown) != spelling.next or grown.init_kwargs.get(GROWN_FROM) != spelling.first:
        raise DataError(f"{type(tokenizer).__name__} does not take a vocabulary that has grown")
    return grown


@torch.no_grad()
def _begin_rows(model: Any, new: Mapping[str, Sequence[int]], first: int) -> None:
    """Begin each new row as the mean of those that spelt it; a head of its own likewise."""
    training.grow_embeddings(model, first + len(new))
    tables = [model.get_input_embeddings().weight]
    head = model.get_output_embeddings()
    if head is not None and head.weight is not tables[0]:
        tables.append(head.weight)
    for table in tables:
        means = [
            table[list(ids)].float().mean(0) if ids else table[:first].float().mean(0) for ids in new.values()
        ]
        table[first : first + len(new)] = torch.stack(means).to(table.dtype)
