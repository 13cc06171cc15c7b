"""Constrained decoding can only spell SMILES, and does not forbid any that molecules are written with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from harness import Request
from harness.decoding.smiles import is_complete, read

from .conftest import Answer, requests_of


@pytest.mark.parametrize(
    "smiles",
    [
        "CCO",
        "c1ccc2[nH]ccc2c1",
        "C%12CC%12",
        "[Na+].[Cl-]",
        "C[C@@H](N)C(=O)O",
        "F/C=C\\F",
        "[13CH4]",
        "[O-][N+](=O)c1ccc(Cl)cc1",
        "C(C)(C)(Br)I",
        "[*:1]CC[Fe+2]",
        "[Cu++]",
        "[se]1cccc1",
    ],
)
def test_smiles_are_complete(smiles: str) -> None:
    assert Chem.MolFromSmiles(smiles, sanitize=False) is not None
    assert is_complete(smiles)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "C(",
        "C)",
        "C1CC",
        "[C",
        "C=",
        "=C",
        "(C)",
        "C()",
        "[Xx]",
        "[]",
        "C..C",
        "C%1",
        "CC(=1)C",
        "hello",
        "C C",
    ],
)
def test_other_texts_are_not(text: str) -> None:
    assert not is_complete(text)


def test_published_molecules_are_all_spelt(test_data: Path) -> None:
    lines = (test_data / "chebi20" / "test.txt").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t")[1].replace("\\\\", "\\") for line in lines]
    assert len(rows) == 3300
    assert [smiles for smiles in rows if not is_complete(smiles)] == []


@given(st.text(alphabet="CNOcn1234%()[]=#@+-H.lBr", max_size=14))
def test_reading_in_pieces_is_reading_whole(text: str) -> None:
    mode, depth = "start", 0
    for place, char in enumerate(text):
        effect = read(mode, char)
        whole = read("start", text[: place + 1])
        assert (effect is None) == (whole is None)
        if effect is None or whole is None:
            return
        mode, depth = effect.mode, depth + effect.depth
        assert (mode, depth) == (whole.mode, whole.depth)


def test_constrained_answers_are_syntactically_sound(model: Any, answer: Answer) -> None:
    requests = requests_of(20)
    found = answer(model, requests, constraint="smiles", max_new_tokens=60)
    for completion in found.values():
        assert read("start", completion.text) is not None
        if completion.finish == "stop":
            assert is_complete(completion.text)
    assert len({completion.text for completion in found.values()}) > 1


@pytest.mark.parametrize("settings", [{"num_beams": 3}, {"decoder": "sampling"}, {"decoder": "contrastive"}])
def test_every_decoder_obeys(llama: Any, answer: Answer, settings: dict[str, Any]) -> None:
    found = answer(llama, requests_of(8), constraint="smiles", max_new_tokens=30, **settings)
    assert all(read("start", completion.text) is not None for completion in found.values())
    assert any(completion.finish == "stop" for completion in found.values()) or settings != {"num_beams": 3}


def test_constrained_answers_do_not_depend_on_the_batch(llama: Any, answer: Answer) -> None:
    requests = [Request(str(number), "C" * number) for number in range(1, 12)]
    alone = answer(llama, requests, constraint="smiles", deterministic=True)
    assert answer(llama, requests, constraint="smiles") == alone
