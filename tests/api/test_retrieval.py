"""What a retriever must have, and what it has by itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness import Hit, Index, Retriever, RetrieverEntry


class Words(Index):
    """Finds texts by how many words they share with a question."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = [set(text.split()) for text in texts]

    def search(self, query: str, k: int) -> Sequence[Hit]:
        shared = [Hit(place, len(words & set(query.split()))) for place, words in enumerate(self._texts)]
        return sorted(shared, key=lambda hit: -hit.score)[:k]


class ByWords(Retriever):
    """A retriever of one method."""

    def index(self, texts: Sequence[str]) -> Index:
        return Words(texts)


def test_a_retriever_is_a_way_to_index_and_an_index_a_way_to_search():
    found = ByWords().index(["a b", "c", "a b c"]).search("a c b", 2)
    assert found == [Hit(2, 3), Hit(0, 2)]
    assert [hit.place for hit in found] == [2, 0]


def test_what_nothing_is_prepared_for_is_found_all_the_same():
    retriever = ByWords()
    assert retriever.prepare(["a"], ["a"]) is None  # type: ignore[func-returns-value]
    assert retriever.index(["a"]).search("a", 1) == [Hit(0, 1)]


@pytest.mark.parametrize("kind", [Index, Retriever])
def test_a_half_made_one_is_refused_when_it_is_made(kind):
    with pytest.raises(TypeError, match="abstract"):
        kind()


def test_a_hit_is_a_place_and_a_score_and_can_be_taken_apart():
    place, score = Hit(3, 0.5)
    assert (place, score) == (3, 0.5)
    assert Hit(3, 0.5) == (3, 0.5)


def test_an_entry_takes_nothing_behind_a_colon_unless_it_says_what():
    assert RetrieverEntry("bm25", "words", "m:BM25").takes == ""
    assert RetrieverEntry("encoder", "vectors", "m:Encoder", takes="FOLDER").takes == "FOLDER"
