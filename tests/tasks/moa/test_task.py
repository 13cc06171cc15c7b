"""Mechanism of action: the sample's molecules, and files of one's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from rdkit import Chem

from harness import DataError, DataSpec
from harness.tasks.moa.sample import CORES, SIZES, sample
from harness.tasks.moa.task import Moa


def test_the_sample_is_canonical_whole_and_repeats_nothing() -> None:
    assert {split: len(rows) for split, rows in sample().items()} == SIZES
    molecules = [smiles for rows in sample().values() for smiles, _ in rows]
    assert len(set(molecules)) == len(molecules)
    assert all(Chem.MolToSmiles(Chem.MolFromSmiles(smiles)) == smiles for smiles in molecules)


def test_every_mechanism_is_learned_and_asked() -> None:
    for split in ("train", "test"):
        counts = Counter(mechanism for _, mechanism in sample()[split])
        assert set(counts) == set(CORES.values())
        assert max(counts.values()) < 0.2 * SIZES[split]


def test_a_folder_of_ones_own_is_read(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("smiles,moa\nCCO,solvent\n", encoding="utf-8")
    task = Moa(DataSpec(source=str(tmp_path)))
    assert task.splits() == ("test",)
    example = next(task.examples("test"))
    assert (example.inputs, example.references) == ({"smiles": "CCO"}, ("solvent",))
    assert task.prompt(example) == "SMILES: CCO\nMechanism of action:"


@pytest.mark.parametrize(
    ("content", "message"), [(b"smiles\nCCO\n", "test.csv:2"), (b"smiles,moa\n\xff,x\n", "UTF-8")]
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "test.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(Moa(DataSpec(source=str(tmp_path))).examples("test"))


def test_a_missing_split_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no train\.csv"):
        list(Moa(DataSpec(source=str(tmp_path))).examples("train"))
