"""`--data hub`: what is in the cache is read, what is not is one sentence with a way out."""

import pytest

from harness import DataError, DataSpec
from harness.tasks.chebi20.task import TextToSmiles as Chebi20
from harness.tasks.lpm24.task import TextToSmiles as Lpm24

pytest.importorskip("huggingface_hub")


def test_offline_names_the_files_and_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DataError) as error:
        list(Lpm24(DataSpec(source="hub")).examples("train"))
    assert "split 'train' of language-plus-molecules/LPM-24_train (data/split_train-*)" in error.value.message
    assert "https://huggingface.co/datasets/language-plus-molecules/LPM-24_train" in error.value.hint
    assert "--data FOLDER" in error.value.hint
    assert "\n" not in error.value.message


def test_a_cached_revision_is_read_and_its_commit_is_noted(tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    snapshot = tmp_path / "datasets--liupf--ChEBI-20-MM" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "test.csv").write_text("CID,SMILES,description\n702,CCO,An alcohol.\n", encoding="utf-8")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    task = Chebi20(DataSpec(source="hub", revision=commit))
    (example,) = task.examples("test")
    assert (example.inputs["caption"], example.references) == ("An alcohol.", ("CCO",))
    assert f"at commit {commit}" in task.notes[0]
