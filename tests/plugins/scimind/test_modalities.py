"""Which text is a sequence, and how it is written as tokens."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plugins.scimind.modalities import ALPHABETS, find_spans, modality_tokens, to_tokens, unwrap, wrap


def found(text: str) -> list[tuple[str, str]]:
    return [(text[span.start : span.stop], span.modality) for span in find_spans(text)]


def test_alphabets_have_the_sizes_of_the_release() -> None:
    assert {name: len(set(alphabet)) for name, alphabet in ALPHABETS.items()} == {
        "molecule": 66,
        "nucleotide": 5,
        "protein": 27,
    }
    assert modality_tokens("molecule")[:3] == ["{|C|}", "{|1|}", "{|(|}"]
    assert modality_tokens("nucleotide") == ["*|G|*", "*|A|*", "*|C|*", "*|T|*", "*|U|*"]
    assert modality_tokens("protein")[-2:] == ["<|.|>", "<|-|>"]


def test_a_token_is_one_character_not_one_atom() -> None:
    assert wrap("Cl@@", "molecule") == "{|C|}{|l|}{|@|}{|@|}"


@given(st.text(), st.sampled_from(sorted(ALPHABETS)))
def test_unwrapping_undoes_wrapping_of_any_text(text: str, modality: str) -> None:
    if not any(mark in text for mark in ("{|", "*|", "<|")):
        assert unwrap(wrap(text, modality)) == text


@given(st.text(alphabet=ALPHABETS["molecule"]))
def test_every_character_of_the_alphabet_is_wrapped(smiles: str) -> None:
    assert wrap(smiles, "molecule").count("|}") == len(smiles)


def test_every_published_evaluation_molecule_survives_the_round_trip(test_data: Path) -> None:
    lines = (test_data / "lpm24/scimind/eval-text.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 21942
    assert [line for line in lines if unwrap(to_tokens(line, {"smiles": line})) != line] == []
    assert [line for line in lines if wrap(line, "molecule").count("|}") != len(line)] == []
    assert [line for line in lines[:2000] if found(line) != [(line, "molecule")]] == []


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("Describe CC(=O)Oc1ccccc1C(=O)O.", [("CC(=O)Oc1ccccc1C(=O)O", "molecule")]),
        ("Is aspirin (CC(=O)OC1=CC=CC=C1C(O)=O) safe?", [("CC(=O)OC1=CC=CC=C1C(O)=O", "molecule")]),
        ("It acts on the CNS, COPD and pH in the SOS box.", []),
        ("CO", [("CO", "molecule")]),
        ("CCCCCCCCCCCCCCCCCC is an alkane", [("CCCCCCCCCCCCCCCCCC", "molecule")]),
        ("promoter ACGTACGTACGTAC here", [("ACGTACGTACGTAC", "nucleotide")]),
        ("the protein MKVLATTGGERTDPKQNFYMHW binds", [("MKVLATTGGERTDPKQNFYMHW", "protein")]),
        ("", []),
    ],
)
def test_sequences_are_found_in_prose(text: str, spans: list[tuple[str, str]]) -> None:
    assert found(text) == spans


def test_a_named_input_is_wrapped_even_where_it_looks_like_a_word() -> None:
    assert to_tokens("SMILES: CO\nDescription:", {"smiles": "CO"}) == "SMILES: {|C|}{|O|}\nDescription:"
    assert to_tokens("Is MKV a protein?", {"protein": "MKV"}) == "Is <|M|><|K|><|V|> a protein?"


def test_wrapped_text_is_left_alone() -> None:
    wrapped = to_tokens("Describe C=CC=C now")
    assert to_tokens(wrapped) == wrapped
