"""Every retriever finds the nearest text first, alone and fused, and says what it cannot do."""

from __future__ import annotations

import pytest

from harness import MissingDependency, PluginError, UsageError
from harness.retrieval.fusion import Fused
from harness.retrieval.order import First, Random
from harness.retrieval.ranking import best
from harness.retrieval.structure import Morgan
from harness.retrieval.words import Bm25, Tfidf, words

from .conftest import TEXTS


def places(retriever, query, k=4, texts=TEXTS):
    return [hit.place for hit in retriever.index(texts).search(query, k)]


@pytest.mark.parametrize("retriever", [Tfidf(), Bm25(), Fused([Tfidf(), Bm25()])])
def test_the_text_that_shares_the_rare_words_comes_first(retriever):
    assert places(retriever, "How many epochs do you train for?")[0] == 1
    assert places(retriever, "Who labelled the tweets, which annotators?", k=1) == [3]


@pytest.mark.parametrize("retriever", [Tfidf(), Bm25(), First(), Random()])
def test_a_question_that_shares_nothing_and_an_empty_one_still_order_all_texts(retriever):
    for query in ("", "the", "日本 xylophone"):
        assert sorted(places(retriever, query)) == [0, 1, 2, 3]
    assert len(places(retriever, "epochs", k=99)) == 4


@pytest.mark.parametrize("retriever", [Tfidf(), Bm25()])
def test_texts_without_a_word_can_be_indexed(retriever):
    assert places(retriever, "epochs", texts=["", "..."]) == [0, 1]


def test_chinese_is_found_by_its_characters():
    assert words("BERT 在中文") == ["bert", "在", "中", "文"]
    assert places(Bm25(), "糖尿病", texts=["肺炎的症状", "糖尿病的症状"])[0] == 1


def test_the_first_are_the_first_and_the_random_follow_the_question():
    assert places(First(), "anything", 2) == [0, 1]
    drawn = {tuple(places(Random(), f"question {n}", 2)) for n in range(40)}
    assert len(drawn) > 6
    assert places(Random(), "question 7", 2) == places(Random(), "question 7", 2)


def test_a_fusion_ranks_first_what_both_rank_high():
    class Fixed(First):
        def __init__(self, order):
            self.order = order

        def index(self, texts):
            return self

        def search(self, query, k):
            from harness import Hit

            return [Hit(place, 0.0) for place in self.order[:k]]

    assert places(Fused([Fixed([0, 2, 1, 3]), Fixed([3, 2, 1, 0])]), "?")[0] == 2
    assert places(Fused([Fixed([0, 2, 1, 3]), Fixed([1, 2, 3, 0])]), "?", 3)[:2] == [1, 2]


def test_molecules_are_found_by_their_structure():
    assert places(Morgan(), "OC(=O)CC", 1, ["CCO", "c1ccccc1", "CC(=O)O"]) == [2]
    assert places(Morgan(), "no molecule", 1, ["CCO", "C1"]) == [0]


def test_equal_scores_come_in_the_order_of_the_texts():
    import numpy as np

    assert [hit.place for hit in best(np.array([1.0, 3.0, 1.0, 3.0, 1.0]), 4)] == [1, 3, 0, 2]
    assert best(np.zeros(0), 3) == [] or len(best(np.zeros(0), 3)) == 0


def test_retrievers_are_opened_by_name_with_an_argument_and_fused(load, tmp_path):
    registry = load()
    assert places(registry.retriever("tfidf+bm25"), "epochs", 1) == [1]
    with pytest.raises(UsageError, match="no retriever named 'tfdif'") as error:
        registry.retriever("tfdif")
    assert error.value.hint == "did you mean tfidf?"
    with pytest.raises(UsageError, match="takes nothing behind a colon"):
        registry.retriever("tfidf:x")
    with pytest.raises(UsageError, match="takes FOLDER behind a colon"):
        registry.retriever("encoder")


def test_a_plugin_brings_a_retriever(load, write_plugin):
    plugin = write_plugin(
        """
        from harness import Hit, Index, Retriever, RetrieverEntry, hookimpl

        @hookimpl
        def harness_retrievers():
            return [
                RetrieverEntry("last", "the last texts", f"{__name__}:Last"),
                RetrieverEntry("odd", "no retriever", f"{__name__}:dict"),
                RetrieverEntry("absent", "needs what is not there", f"{__name__}:Last", ("no_such_library",)),
            ]

        class Last(Retriever, Index):
            def index(self, texts):
                self.size = len(texts)
                return self

            def search(self, query, k):
                return [Hit(self.size - 1 - n, -n) for n in range(min(k, self.size))]
        """
    )
    registry = load(plugin)
    assert places(registry.retriever("last"), "?", 2) == [3, 2]
    with pytest.raises(MissingDependency, match="no_such_library"):
        registry.retriever("absent")
    with pytest.raises(PluginError):
        registry.retriever("odd")
