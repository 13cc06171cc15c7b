"""Rankings that were kept: what a retriever found once, here or in another program, found again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.api import DataError, Hit, Index, Retriever

FOUND = ("found", "recall_evidence")  # the second as SciDPR's own program writes it


class Kept(Retriever):
    """A file of JSON lines, each with `question` and the texts that were `found` for it, best first."""

    def __init__(self, path: str) -> None:
        self._found: dict[str, list[list[str]]] = {}
        for number, line in enumerate(_lines(path), start=1):
            if line.strip():
                question, texts = _row(line, f"{path} line {number}")
                self._found.setdefault(question, []).append(texts)
        self.path = path

    def index(self, texts: Sequence[str]) -> Index:
        """Remember which texts there are: one question may be asked of many papers."""
        return _Kept(self, texts)

    def found(self, question: str) -> list[list[str]]:
        """Return what was found for a question, once a paper."""
        return self._found.get(question, [])


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _row(line: str, where: str) -> tuple[str, list[str]]:
    try:
        row = json.loads(line)
        texts = next(row[key] for key in FOUND if key in row)
        if isinstance(row["question"], str) and all(isinstance(text, str) for text in texts):
            return row["question"], list(texts)
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError):
        pass
    raise DataError(
        f"{where} is no kept ranking", hint='expected {"question": …, "found": [texts, best first]}'
    )


class _Kept(Index):
    def __init__(self, kept: Kept, texts: Sequence[str]) -> None:
        self._kept = kept
        self._places = {text: place for place, text in reversed(list(enumerate(texts)))}

    def search(self, query: str, k: int) -> Sequence[Hit]:
        rankings = self._kept.found(query)
        ours = [ranking for ranking in rankings if any(text in self._places for text in ranking)]
        if not ours:
            raise DataError(f"{self._kept.path} holds no ranking of these texts for {query!r}")
        best = max(ours, key=lambda ranking: sum(text in self._places for text in ranking))
        places = dict.fromkeys(self._places[text] for text in best if text in self._places)
        return [Hit(place, -float(rank)) for rank, place in enumerate(places)][:k]
