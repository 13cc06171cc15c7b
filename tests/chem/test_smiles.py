"""SMILES read with RDKit: whatever the text is, a molecule or nothing."""

import pytest

from harness.chem.smiles import MAX_SMILES, canonical, has_smiles_syntax, is_legal, molecule, of_selfies


@pytest.mark.parametrize("text", ["\ud800", "CC\udcffO", "CC\0O", "C" * (MAX_SMILES + 1), ""])
def test_what_cannot_be_handed_to_rdkit_is_no_molecule(text):
    assert molecule(text) is None
    assert not has_smiles_syntax(text)


def test_a_selfies_with_a_number_of_thousands_of_digits_is_none():
    pytest.importorskip("selfies")
    assert of_selfies(f"[C][{'9' * 5000}]") is None


def test_syntax_is_less_than_chemistry():
    assert has_smiles_syntax("C(C)(C)(C)(C)C")
    assert molecule("C(C)(C)(C)(C)C") is None
    assert not has_smiles_syntax("C(C")
    assert not has_smiles_syntax("CC O")


def test_legal_text_is_what_utf8_can_hold():
    assert is_legal("CCO")
    assert is_legal("\u2028 ä")
    assert not is_legal("\udc80")


def test_selfies_become_smiles():
    pytest.importorskip("selfies")
    assert of_selfies(" [C][C][O] ") == "CCO"
    assert of_selfies("[No such token]") is None


def test_a_molecule_has_one_spelling_and_what_is_none_has_none():
    assert canonical(" OCC\n") == canonical("CCO") == "CCO"
    assert [canonical(text) for text in ("", "  ", "C(C", "\ud800")] == [""] * 4
