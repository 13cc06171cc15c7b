"""Mechanism of action: the sample's molecules, and files of one's own."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import pytest
from rdkit import Chem

from harness import DataError, DataSpec, Request, TrainPair
from harness.plugins.baseline.similarity import Neighbours
from harness.tasks.moa.sample import CORES, SIZES, sample, split_of
from harness.tasks.moa.task import Moa


@lru_cache
def query(core: int, is_open: bool) -> Chem.Mol:
    """Return a query for a core whose atoms have no neighbours but its own and the linker."""
    molecule = Chem.MolFromSmiles(CORES[core][0 if is_open else 1].format("%91") + ".*%91")
    exact = Chem.AdjustQueryParameters.NoAdjustments()
    exact.makeDummiesQueries = exact.adjustDegree = True
    exact.adjustDegreeFlags = Chem.AdjustQueryWhichFlags.ADJUST_IGNOREDUMMIES
    return Chem.AdjustQueryProperties(molecule, exact)


def test_the_sample_is_canonical_whole_and_repeats_nothing() -> None:
    assert {split: len(rows) for split, rows in sample().items()} == SIZES
    molecules = [smiles for rows in sample().values() for smiles, _ in rows]
    assert len(set(molecules)) == len(molecules)
    assert all(Chem.MolToSmiles(Chem.MolFromSmiles(smiles)) == smiles for smiles in molecules)


def test_every_mechanism_is_learned_and_asked() -> None:
    mechanisms = {mechanism for _, _, mechanism in CORES}
    for split, size in SIZES.items():
        counts = Counter(mechanism for _, mechanism in sample()[split])
        assert set(counts) == mechanisms
        assert max(counts.values()) < 0.2 * size


def test_a_molecule_holds_its_mechanisms_core_open_and_another_one_capped() -> None:
    for smiles, mechanism in sample()["test"]:
        molecule = Chem.MolFromSmiles(smiles)
        holds = {
            is_open: [core for core in range(len(CORES)) if molecule.HasSubstructMatch(query(core, is_open))]
            for is_open in (True, False)
        }
        assert [CORES[core][2] for core in holds[True]] == [mechanism]
        assert len(holds[False]) == 1
        assert split_of(holds[True][0], holds[False][0]) == "test"


def test_two_cores_meet_in_one_split_only() -> None:
    pairs = {(first, second): split_of(first, second) for first, second in permutations(range(len(CORES)), 2)}
    assert all(pairs[first, second] == pairs[second, first] for first, second in pairs)
    for split in SIZES:
        meet = Counter(first for (first, _), where in pairs.items() if where == split)
        assert len(meet) == len(CORES)
        assert len(set(meet.values())) == 1


def test_the_nearest_training_molecule_does_not_give_the_answer() -> None:
    known = [TrainPair("", mechanism, {"smiles": smiles}) for smiles, mechanism in sample()["train"]]
    neighbours = Neighbours(known)
    rows = sample()["test"]
    right = sum(
        known[neighbours.nearest(Request("", "", {"smiles": smiles}))].target == mechanism
        for smiles, mechanism in rows
    )
    assert 0.2 < right / len(rows) < 0.6


def test_a_folder_of_ones_own_is_read(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("smiles,moa\nCCO,solvent\n", encoding="utf-8")
    task = Moa(DataSpec(source=str(tmp_path)))
    assert task.splits() == ("test",)
    example = next(task.examples("test"))
    assert (example.inputs, example.references) == ({"smiles": "CCO"}, ("solvent",))
    assert task.prompt(example) == "SMILES: CCO\nMechanism of action:"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"smiles\nCCO\n", "test.csv:1: expected the column moa once"), (b"smiles,moa\n\xff,x\n", "UTF-8")],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "test.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(Moa(DataSpec(source=str(tmp_path))).examples("test"))


def test_a_missing_split_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no train\.csv"):
        list(Moa(DataSpec(source=str(tmp_path))).examples("train"))
