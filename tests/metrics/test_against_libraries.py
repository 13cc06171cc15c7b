"""Metrics that libraries also have give the libraries' numbers, on any text."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.metrics import reference, text, tokens
from harness.metrics.rows import make_pairs

words = st.lists(st.sampled_from(["the", "acid", "is", "a", "Poison.", "(2R)-x", "é", "水"]), max_size=9)
rows = st.lists(st.tuples(words.map(" ".join), words.map(" ".join)), min_size=1, max_size=6)
CHINESE = [("这种药物抑制酶。", "这种药物可以抑制酶"), ("它是一种脂质", "它是脂质")]


def several(rows):
    return make_pairs([said for said, _ in rows], [[wanted, wanted[::-1]] for _, wanted in rows])


@settings(max_examples=60, deadline=None)
@given(rows)
def test_chrf_is_sacrebleus(found):
    chrf = pytest.importorskip("sacrebleu.metrics.chrf").CHRF
    pairs = make_pairs([said for said, _ in found], [wanted for _, wanted in found])
    wanted = chrf().corpus_score([said for said, _ in found], [[wanted for _, wanted in found]]).score
    assert text.chrf(pairs).value == pytest.approx(wanted / 100, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(rows)
def test_chrf_of_several_references_is_sacrebleus(found):
    chrf = pytest.importorskip("sacrebleu.metrics.chrf").CHRF
    references = [[wanted for _, wanted in found], [wanted[::-1] for _, wanted in found]]
    wanted = chrf().corpus_score([said for said, _ in found], references).score
    assert text.chrf(several(found)).value == pytest.approx(wanted / 100, abs=1e-12)


@pytest.mark.parametrize("name", ["bleu-2", "bleu-4", "bleu-4@split", "bleu-2@zh", "rouge-2", "rouge-lsum"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(found=rows)
def test_bleu_and_rouge_equal_the_libraries_on_any_text(name, found):
    pytest.importorskip("nltk.translate.bleu_score")
    pytest.importorskip("rouge_score.rouge_scorer")
    metric = getattr(text, name.replace("-", "_").replace("@", "_"))
    for pairs in (make_pairs([s for s, _ in found], [w for _, w in found]), several(found)):
        assert metric(pairs).value == reference.metric(name)(pairs).value


def test_jieba_cuts_chinese_into_words_for_every_measure():
    pytest.importorskip("jieba")
    pairs = make_pairs([said for _, said in CHINESE], [wanted for wanted, _ in CHINESE])
    assert tokens.lexicon("jieba", pairs).split("它是一种脂质") == ["它", "是", "一种", "脂质"]
    for name in ("bleu-2@jieba", "rouge-1@jieba", "rouge-2@jieba", "rouge-l@jieba"):
        metric = getattr(text, name.replace("-", "_").replace("@", "_"))
        assert 0 < metric(pairs).value < 1
        if "bleu" in name:
            assert metric(pairs).value == reference.metric(name)(pairs).value
    # "它 是 一种 脂质" against "它 是 脂质": 3 of 3 and 3 of 4 words.
    assert text.rouge_1_jieba(make_pairs(["它是脂质"], ["它是一种脂质"])).value == pytest.approx(6 / 7)


def test_t5_pieces_give_molregpts_kind_of_number(test_data, monkeypatch):
    """molt5-large scores .588 with SciBERT's pieces and .612 with T5's; smaller systems move alike."""
    pytest.importorskip("sentencepiece")
    monkeypatch.setenv("HARNESS_TEST_DATA", str(test_data))
    from harness.scoring import answers

    name = "molt5-small-smiles2caption"
    file = answers.read(test_data / f"chebi20/molt5_predictions/{name}.txt")
    file.answers = file.answers[:300]
    pairs = answers.pair(file, None)
    assert text.bleu_2_t5(pairs).value == reference.metric("bleu-2@t5")(pairs).value
    assert text.bleu_4_t5(pairs).value == reference.metric("bleu-4@t5")(pairs).value
    assert text.bleu_2_t5(pairs).value > text.bleu_2_scibert(pairs).value > text.bleu_2_split(pairs).value
