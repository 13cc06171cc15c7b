"""What can be asked of a molecule, and the judge of whether an answer has it."""

from __future__ import annotations

import json
import math

import pytest
from rdkit import Chem
from rdkit.Chem import Descriptors

from harness import DataError
from harness.chem.constraints import MEASURES, Constraint, as_meta, judge, read_constraints
from harness.chem.molecules import Molecules

AMIDE = "O=C(Nc1ccccc1)c1ccc(Cl)cc1"
ASKED = (
    Constraint("rings", 2, 2),
    Constraint("matches", 1, of="[CX3](=O)[NX3]", name="amide"),
    Constraint("matches", high=0, of="[N+](=O)[O-]", name="nitro group"),
    Constraint("logp", 3, 4),
)
MOLECULES = Molecules()


def test_constraints_survive_json() -> None:
    assert read_constraints(json.loads(json.dumps(as_meta(ASKED)))) == ASKED


@pytest.mark.parametrize(
    ("measure", "of", "value"),
    [
        ("rings", "", 2),
        ("aromatic-rings", "", 2),
        ("rotatable-bonds", "", 2),
        ("atoms", "Cl", 1),
        ("atoms", "C", 13),
        ("atoms", "H", 0),
        ("bonds", "aromatic", 12),
        ("bonds", "double", 1),
        ("matches", "c", 12),
        ("matches", "c c1ccccc1", 10),
        ("similarity", AMIDE, 1),
        ("similarity", "CCO", 0),
    ],
)
def test_a_measure_is_what_it_says(measure: str, of: str, value: float) -> None:
    assert MEASURES[measure](Chem.MolFromSmiles(AMIDE), of) == value


@pytest.mark.parametrize(
    ("measure", "descriptor"),
    [
        ("weight", "MolWt"),
        ("logp", "MolLogP"),
        ("tpsa", "TPSA"),
        ("refractivity", "MolMR"),
        ("qed", "qed"),
    ],
)
def test_properties_are_those_of_rdkits_descriptors(measure: str, descriptor: str) -> None:
    mol = Chem.MolFromSmiles(AMIDE)
    assert MEASURES[measure](mol, "") == getattr(Descriptors, descriptor)(mol)


def test_both_ends_of_a_window_count() -> None:
    mol = Chem.MolFromSmiles(AMIDE)
    logp = MEASURES["logp"](mol, "")
    assert Constraint("logp", logp, logp).met(mol)
    assert not Constraint("logp", math.nextafter(logp, math.inf)).met(mol)
    assert not Constraint("logp", high=math.nextafter(logp, -math.inf)).met(mol)


def test_the_judge_names_what_is_met_one_by_one() -> None:
    verdict = judge(ASKED, MOLECULES[AMIDE])
    assert verdict.met == (True, True, True, True) and verdict.all_met and verdict.share == 1
    verdict = judge(ASKED, MOLECULES["O=C(Nc1ccccc1)c1ccc([N+](=O)[O-])cc1"])
    assert verdict.met == (True, True, False, False) and not verdict.all_met and verdict.share == 0.5


@pytest.mark.parametrize(
    "answer",
    [
        "",
        " ",
        "C1CC",
        AMIDE + " as asked",
        AMIDE + ".C",
        "*" + AMIDE,
        "[13C]" + AMIDE[1:],
        "[CH2]CO",
        "CC(=O)[O-]",
        "C" * 5000,
        "*" + "(C)" * 40,
        "\ud800",
        "C\0C",
    ],
)
def test_what_is_no_whole_molecule_has_nothing(answer: str) -> None:
    asked = (*ASKED, Constraint("matches", high=0, of="[U]"), Constraint("weight", 0))
    verdict = judge(asked, MOLECULES[answer])
    assert not verdict.sound and not verdict.all_met and verdict.share == 0 and len(verdict.met) == len(asked)


def test_a_charge_that_is_balanced_is_no_fault() -> None:
    assert judge([Constraint("weight", 0)], MOLECULES["C[N+](=O)[O-]"]).all_met


def test_a_lenient_judge_takes_whatever_rdkit_reads() -> None:
    assert judge([Constraint("weight", 0)], MOLECULES["C.[Na+]"], strict=False).all_met
    assert not judge([Constraint("weight", 0)], MOLECULES["C1CC"], strict=False).all_met


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (None, "a list of constraints, found None"),
        ([], "a list of constraints"),
        ({"measure": "rings"}, "a list of constraints"),
        (["rings"], "with a measure, found 'rings'"),
        ([{"measure": "ring", "low": 1}], "nothing measures 'ring'"),
        ([{"measure": "rings", "least": 1}], "no field 'least'"),
        ([{"measure": "rings"}], "neither 'low' nor 'high'"),
        ([{"measure": "rings", "low": 3, "high": 2}], "from 3 down to 2"),
        ([{"measure": "rings", "low": "1"}], "a number as 'low'"),
        ([{"measure": "rings", "low": True}], "a number as 'low'"),
        ([{"measure": "rings", "low": math.nan}], "a number as 'low'"),
        ([{"measure": "rings", "low": 1, "of": "C"}], "of the whole molecule"),
        ([{"measure": "rings", "low": 1, "name": 1}], "a text as 'name'"),
        ([{"measure": "atoms", "low": 1, "of": "Xx"}], "atoms cannot be taken of 'Xx'"),
        ([{"measure": "atoms", "low": 1}], "atoms cannot be taken of ''"),
        ([{"measure": "bonds", "low": 1, "of": "weak"}], "bonds cannot be taken of 'weak'"),
        ([{"measure": "matches", "low": 1}], "matches cannot be taken of ''"),
        ([{"measure": "matches", "low": 1, "of": "C("}], "'C(' is no SMARTS"),
        ([{"measure": "similarity", "low": 1, "of": "C("}], "'C(' is no molecule"),
    ],
)
def test_what_is_no_constraint_is_said_in_a_sentence(rows: object, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_constraints(rows)
    assert said in caught.value.message
