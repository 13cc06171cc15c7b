"""S²-Bench's CSV files, and its three numbers by its own rules."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from harness import DataError, DataSpec, Example, Pairs, Prediction, Request
from harness.tasks.s2_bench import SUBTASKS, metrics, task
from harness.tasks.s2_bench.groups import COUNTED, ELEMENTS

TOLUENE = "Cc1ccccc1"
ATOMS = {name: "0" for name in ELEMENTS}
GROUPS = {name: "0" for name in COUNTED}
ROWS: dict[
    str, tuple[dict[str, str], str, str]
] = {  # subtask -> columns, an answer that is right, one that is wrong
    "AtomNum": ({**ATOMS, "carbon": "2", "oxygen": "1"}, "CCO", "CCOCl"),
    "BondNum": (
        {"single": "2", "double": "0", "triple": "1", "rotatable": "0", "aromatic": "0"},
        "CCC#N",
        "CC#N",
    ),
    "FunctionalGroup": ({**GROUPS, "benzene rings": "1", "nitrile": "1"}, "N#Cc1ccccc1", "N#CC"),
    "AddComponent": ({"molecule": TOLUENE, "added_group": "hydroxyl"}, "Cc1ccc(O)cc1", TOLUENE),
    "DelComponent": ({"molecule": TOLUENE, "removed_group": "benzene ring"}, "CC", TOLUENE),
    "SubComponent": (
        {"molecule": TOLUENE, "removed_group": "benzene_ring", "added_group": "nitrile"},
        "CC#N",
        "N#Cc1ccccc1",
    ),
    "LogP": ({"molecule": TOLUENE, "Instruction": "Give it a lower LogP."}, "CO", TOLUENE),
    "MR": ({"molecule": TOLUENE, "Instruction": "Raise MR, it should be higher."}, "CCc1ccccc1", TOLUENE),
    "QED": (
        {"molecule": TOLUENE, "Instruction": "Please decrease the QED value."},
        "C",
        "c1ccc(cc1)Cc1ccccc1",
    ),
}


def opened(folder: Path, name: str, **changes: str) -> Any:
    """Write a subtask's file with one row and open the task on it."""
    kind = getattr(task, name)
    row = {"Instruction": "Do it.", **ROWS[name][0], **changes}
    with (folder / f"{kind.main}_{name}.csv").open("w", newline="") as file:
        csv.writer(file).writerows([row, row.values()])
    return kind(DataSpec(source=str(folder)))


def scored(example: Example, *answers: str) -> Pairs:
    return Pairs([(example, Prediction(example.id, answer)) for answer in answers])


@pytest.mark.parametrize("name", ROWS)
def test_a_right_and_a_wrong_answer_of_each_subtask(tmp_path: Path, name: str) -> None:
    (example,) = opened(tmp_path, name).examples("test")
    _, right, wrong = ROWS[name]
    assert metrics.success(scored(example, right, wrong, "", "C1CC")).per_example == (1, 0, 0, 0)


def test_every_subtask_has_a_class() -> None:
    assert {kind for kind, _ in SUBTASKS.values()} == set(ROWS)


@pytest.mark.parametrize("place", ["MolCustom/AtomNum", "benchmarks/open_generation/MolCustom/AtomNum"])
def test_files_are_found_as_the_release_lays_them_out(tmp_path: Path, place: str) -> None:
    opened(tmp_path, "AtomNum")
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / "MolCustom_AtomNum.csv").rename(tmp_path / place / "test.csv")
    assert len(list(task.AtomNum(DataSpec(source=str(tmp_path))).examples("test"))) == 1
    assert task.AtomNum(DataSpec(source=str(tmp_path))).splits() == ("test",)


def test_openmolins_is_learned_from(tmp_path: Path) -> None:
    rows = "SubTask,Instruction,molecule\nAtomNum,Two carbon atoms.,CC\nLogP,Lower it.,CO\n"
    (tmp_path / "train.csv").write_text(rows)
    (example,) = task.AtomNum(DataSpec(source=str(tmp_path))).examples("train")
    assert (example.inputs, example.references) == ({"instruction": "Two carbon atoms."}, ("CC",))


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("AtomNum", {"carbon": "some"}, "invalid literal"),
        ("LogP", {"molecule": "C1CC"}, "'C1CC', which is no molecule"),
        ("AddComponent", {"added_group": "hydroxide"}, "a group 'hydroxide', which is none"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, name: str, changes: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=rf"{name}\.csv:2: expected what {name} asks") as caught:
        list(opened(tmp_path, name, **changes).examples("test"))
    assert said in caught.value.message


def test_bonds_of_zero_are_not_asked(tmp_path: Path) -> None:
    zero = dict.fromkeys(("single", "double", "triple", "rotatable", "aromatic"), "0")
    (example,) = opened(tmp_path, "BondNum", **zero).examples("test")
    assert metrics.success(scored(example, "CC=O", "no")).per_example == (1, 0)


@pytest.mark.parametrize(
    ("smiles", "group", "count"),
    [
        ("CSC", "sulfide", 1),
        ("CSSC", "sulfide", 1),
        ("CSSC", "disulfide", 1),
        ("CSSSC", "sulfide", 1),
        ("c1ccc2ccccc2c1", "benzene ring", 0),
        ("c1ccc(-c2ccccc2)cc1", "benzene ring", 2),
        ("CC(=O)OC(C)=O", "ester", 2),
        ("CC(=O)O", "hydroxyl", 1),
        ("C[N+](=O)[O-]", "nitro", 1),
        ("CS(C)(=O)=O", "sulfone", 1),
        ("CS(C)=O", "sulfoxide", 1),
    ],
)
def test_groups_are_counted_as_the_benchmark_counts_them(smiles: str, group: str, count: int) -> None:
    """The expected numbers are worked out by hand from the patterns of the benchmark's evaluation.py."""
    from harness.chem.constraints import MEASURES
    from harness.chem.smiles import molecule
    from harness.tasks.s2_bench.groups import GROUPS as patterns

    assert MEASURES["matches"](molecule(smiles), patterns[group]) == count


def test_mixtures_and_names_count_as_they_do_there(tmp_path: Path) -> None:
    (example,) = opened(tmp_path, "AtomNum").examples("test")
    pairs = scored(example, "CC.O", "CCO ethanol", "", "C1CC")
    assert metrics.success(pairs).per_example == (1, 1, 0, 0)
    assert metrics.validity(pairs).per_example == (1, 1, 0, 0)
    assert metrics.similarity(pairs).value is None


def test_similarity_is_meaned_over_valid_answers(tmp_path: Path) -> None:
    (example,) = opened(tmp_path, "LogP").examples("test")
    score = metrics.similarity(scored(example, TOLUENE, "c1ccccc1C", "", "C1CC", "O"))
    assert score.per_example == (1, 1, None, None, 0)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("CCO\n", "CCO"),
        ('{"molecule": "CCO"}', "CCO"),
        ('Sure: {"molecule": "CO => CCO"} is it.', "CCO"),
        ("CC -> CCO", "CCO"),
        ("{broken}", "{broken}"),
        ("[Na+]", "[Na+]"),
    ],
)
def test_the_molecule_is_read_out_of_what_is_said(tmp_path: Path, said: str, answer: str) -> None:
    assert opened(tmp_path, "AtomNum").answer(said, Request("r", "")) == answer
