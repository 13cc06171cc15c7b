"""What counts as the same molecule, the same caption, the same scaffold."""

from itertools import islice

import pytest
from rdkit import Chem

from harness import DataSpec, Example
from harness.chem.captioned import CaptionedMolecule
from harness.chem.overlap import LEAKS, overlap
from harness.chem.published import read
from harness.chem.smiles import molecule
from harness.tasks.lpm24.task import SmilesToText, TextToSmiles


def row(id, smiles, caption="", cid=""):
    return CaptionedMolecule(id, smiles, caption or f"caption {id} {smiles}", {"cid": cid})


def kinds(train, test):
    found = overlap([row("train", *train)], [row("test", *test)])
    return {kind for kind, ids in found.ids.items() if ids}


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (("OCC",), ("CCO",), {"inchikey", "connectivity"}),
        (("CCO",), ("CCO",), {"smiles", "inchikey", "connectivity"}),
        (("C[C@H](N)C(=O)O",), ("C[C@@H](N)C(=O)O",), {"connectivity"}),
        (("CC(=O)[O-]",), ("CC(=O)O",), {"connectivity"}),
        (("Cc1ccccc1",), ("Oc1ccccc1",), {"scaffold"}),
        (("CCC",), ("CCCC",), set()),
        (("CCO", "same words"), ("CCN", "same words"), {"caption", "near-caption"}),
        (("CCO", "x", "7"), ("CCN", "y", "7"), {"cid"}),
        (("CCO", "x", ""), ("CCN", "y", ""), set()),
        (("C(C", "x"), ("C(C", "y"), {"smiles"}),
        (("Oc1ccccn1",), ("O=c1cccc[nH]1",), {"inchikey", "connectivity"}),
        (("CN(=O)=O",), ("C[N+](=O)[O-]",), {"inchikey", "connectivity"}),
        (("CC(=O)O[Na]",), ("[Na+].CC(=O)[O-]",), {"inchikey", "connectivity"}),
        (("[2H]OC",), ("CO",), {"connectivity"}),
        (("[H+].CC=N",), ("CC=N",), {"connectivity"}),
        (("[13CH3]O",), ("CO",), {"connectivity"}),
    ],
)
def test_kinds_of_overlap(train, test, expected):
    assert kinds(train, test) == expected


def test_a_shared_scaffold_is_no_leak():
    found = overlap([row("a", "Cc1ccccc1")], [row("b", "Oc1ccccc1"), row("c", "C1=CC=CC=C1C")])
    assert found.ids["scaffold"] == {"b", "c"}
    assert found.leaked == {"c"}
    assert set(LEAKS) == set(found.ids) - {"scaffold"}


def test_an_empty_test_set_shares_nothing():
    assert overlap([row("a", "CCO")], []).leaked == frozenset()


@pytest.mark.parametrize("kind", [TextToSmiles, SmilesToText])
def test_a_task_names_the_rows_that_training_gives_away(kind):
    task = kind(DataSpec())
    rows = list(task.examples("test"))[:20]
    leak = rows[3]
    found = task.seen_in_training([leak, *list(task.examples("train"))[:50]], rows)
    assert set().union(*found.values()) == {leak.id}
    assert isinstance(leak, Example)


def test_the_sample_leaks_nothing():
    task = TextToSmiles()
    found = task.seen_in_training(task.examples("train"), list(task.examples("test")))
    assert {kind: len(ids) for kind, ids in found.items()} == dict.fromkeys(LEAKS, 0)
    assert "0 of 600 rows share their scaffold" in task.notes[-1]


def test_what_is_skipped_for_speed_changes_nothing(test_data):
    train = list(islice(read([test_data / "derived/caption_pairs_no_chebi20_valtest.tsv"], "test"), 2500))
    test = list(islice(read(test_data / "chebi20", "test"), 2500))
    blocks = {row.id: Chem.MolToInchiKey(molecule(row.smiles))[:14] for row in test}
    known = {Chem.MolToInchiKey(molecule(row.smiles))[:14] for row in train}
    shared = {id for id, block in blocks.items() if block in known}
    assert len(shared) > 10
    assert overlap(train, test).ids["connectivity"] == shared


def test_leaks_of_real_files_are_found(test_data):
    train = read([test_data / "derived/caption_pairs_no_chebi20_valtest.tsv"], "test")
    found = overlap(train, list(read(test_data / "chebi20", "test")))
    counts = {kind: len(ids) for kind, ids in found.ids.items()}
    # The file holds no CID and no SMILES string of the test set, as its manifest says; molecules it does.
    assert (counts["cid"], counts["smiles"]) == (0, 0)
    assert (counts["inchikey"], counts["connectivity"], counts["caption"]) == (6, 263, 2)
