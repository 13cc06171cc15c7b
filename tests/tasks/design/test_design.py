"""Requests for molecules: the sample keeps its word, own requests are checked, and repeats are told apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from harness import DataError, DataSpec, Example, UsageError
from harness.chem.constraints import Constraint, judge, read_constraints
from harness.chem.molecules import Molecules
from harness.tasks.design.asking import askable, in_words
from harness.tasks.design.edits import edits
from harness.tasks.design.rows import Row
from harness.tasks.design.sample import SIZES, requests
from harness.tasks.design.task import Constraints, Edit, Repeats
from tests.conftest import ROOT

TASKS = pytest.mark.parametrize("kind", [Constraints, Edit])
SAMPLES = pytest.mark.parametrize("sample", [requests, edits])
MOLECULES = Molecules()


def met(example: Example, answer: str) -> bool:
    return judge(read_constraints(example.meta["constraints"]), MOLECULES[answer]).all_met


@TASKS
def test_every_example_answer_has_everything_asked(kind: type[Constraints]) -> None:
    for split in ("validation", "test"):
        assert all(met(example, example.references[0]) for example in kind().examples(split))


def test_a_molecule_given_back_unchanged_never_meets_a_request() -> None:
    assert not any(met(example, example.inputs["smiles"]) for example in Edit().examples("test"))


def test_no_molecule_is_given_in_two_splits() -> None:
    given = [{row.given for row in rows} for rows in edits().values()]
    assert not any(first & second for first, second in combinations(given, 2))


@SAMPLES
def test_no_request_is_asked_twice(sample: Any) -> None:
    rows = [row for split in sample().values() for row in split]
    assert len({(row.given, frozenset(row.constraints)) for row in rows}) == len(rows)
    assert len({row.id for row in rows}) == len(rows)


def about(row: Row) -> list[str]:
    """Name the things that a row asks for; an end of a window or a number says nothing of them."""
    return sorted(c.measure + (c.name if c.measure in ("atoms", "matches") else "") for c in row.constraints)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_seen_combinations_are_seen_in_training_and_unseen_ones_are_not(split: str) -> None:
    rows = requests()
    known = {pair for row in rows["train"] for pair in combinations(about(row), 2)}
    seen = [row for row in rows[split] if row.combination == "seen"]
    unseen = [row for row in rows[split] if row.combination == "unseen"]
    assert (len(seen), len(unseen)) == (SIZES[split]["seen"], SIZES[split]["unseen"])
    assert all(not set(combinations(about(row), 2)) <= known for row in unseen)
    assert sum(set(combinations(about(row), 2)) <= known for row in seen) > 0.98 * len(seen)


def test_validation_says_nothing_of_the_pairs_of_test() -> None:
    rows = requests()
    known = {pair for row in rows["train"] for pair in combinations(about(row), 2)}
    new = {
        split: {
            pair for row in rows[split] if row.combination == "unseen" for pair in combinations(about(row), 2)
        }
        - known
        for split in ("validation", "test")
    }
    assert new["validation"] and new["test"] and not new["validation"] & new["test"]


def test_every_thing_of_test_is_asked_in_training() -> None:
    asked = {
        split: Counter(thing for row in rows for thing in about(row)) for split, rows in requests().items()
    }
    assert set(asked["test"]) <= set(asked["train"])
    assert min(asked["train"].values()) > 30


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        (Constraint("rings", 2, 2), "2 rings"),
        (Constraint("aromatic-rings", 1, 1), "1 aromatic ring"),
        (Constraint("atoms", 2, 3, "N", "nitrogen"), "2 to 3 nitrogen atoms"),
        (Constraint("atoms", high=0, of="Br", name="bromine"), "no bromine atom"),
        (Constraint("matches", 1, of="C#N", name="nitrile group"), "a nitrile group"),
        (Constraint("matches", 1, of="[CX3](=O)[NX3]", name="amide group"), "an amide group"),
        (Constraint("matches", 2, of="C#N", name="nitrile group"), "at least 2 nitrile groups"),
        (Constraint("matches", 1, of="C#N"), "a C#N"),
        (Constraint("matches", 1, of="c1ccccc1", name="the scaffold"), "keep the scaffold"),
        (Constraint("bonds", high=2, of="double"), "at most 2 double bonds"),
        (Constraint("weight", 250, 350), "weight 250 to 350"),
        (Constraint("logp", 0.5), "logP at least 0.5"),
        (Constraint("logp", 2.74, name="up by 0.5"), "logP up by 0.5"),
        (Constraint("similarity", 0.6, of="CCO"), "similarity at least 0.6"),
    ],
)
def test_constraints_are_put_in_words(constraint: Constraint, words: str) -> None:
    assert in_words(constraint) == words


def test_nothing_is_asked_that_the_molecule_has_not() -> None:
    mol = MOLECULES["O=C(Nc1ccccn1)c1ccc(Cl)cc1"].mol
    can = askable(mol)
    assert all(constraint.met(mol) for constraint in can.values())
    assert {"amide", "pyridine", "chlorine", "nitrogen", "rings"} <= set(can)
    assert not {"ester", "bromine", "sulfur", "nitro"} & set(can)


@TASKS
def test_requests_are_repeated_under_ids_of_their_own(kind: type[Constraints]) -> None:
    task = kind(options=Repeats(repeats=3))
    once, thrice = list(kind().examples("validation")), list(task.examples("validation"))
    assert len(thrice) == 3 * len(once) and len({example.id for example in thrice}) == len(thrice)
    assert [example.meta["request"] for example in thrice[:4]] == [once[0].id] * 3 + [once[1].id]
    assert len(list(task.examples("train"))) == len(list(kind().examples("train")))


def test_asking_less_than_once_is_refused() -> None:
    with pytest.raises(UsageError, match="expected 1 or more"):
        Repeats(repeats=0)


def test_what_training_asks_is_found_in_other_words() -> None:
    first = next(iter(Constraints().examples("train")))
    asked = Example("again", {"wanted": "something"}, (), {"constraints": first.meta["constraints"][::-1]})
    other = next(iter(Constraints().examples("test")))
    assert Constraints().seen_in_training([first], [asked, other]) == {"request": frozenset({"again"})}


@pytest.mark.slow
def test_another_hash_seed_makes_the_same_rows() -> None:
    code = (
        "from harness.tasks.design.sample import requests; from harness.tasks.design.edits import edits\n"
        "import hashlib; print(hashlib.sha256(repr((requests(), edits())).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


GOOD = {"constraints": [{"measure": "rings", "low": 1, "high": 1}], "answer": "c1ccccc1"}


def folder(path: Path, *rows: Any, split: str = "test") -> DataSpec:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    (path / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return DataSpec(source=str(path))


def test_own_requests_are_read(tmp_path: Path) -> None:
    data = folder(tmp_path, GOOD, {**GOOD, "id": "mine", "wanted": "benzene, say", "answer": "c1ccncc1"})
    first, second = Constraints(data).examples("test")
    assert (first.id, first.inputs, first.references) == ("test-000001", {"wanted": "1 ring"}, ("c1ccccc1",))
    assert (second.id, second.inputs["wanted"]) == ("mine", "benzene, say")
    assert Constraints(data).splits() == ("test",)
    assert met(first, "C1CC1") and not met(first, "C")


def test_a_request_without_an_answer_is_asked_and_not_learned(tmp_path: Path) -> None:
    task = Constraints(folder(tmp_path, {"constraints": GOOD["constraints"]}))
    (example,) = task.examples("test")
    assert example.references == ()
    with pytest.raises(DataError, match="no answer to learn from"):
        task.target(example)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("not json", "json"),
        ("[]", "json"),
        ({}, "constraints"),
        ({"constraints": [{"measure": "ring", "low": 1}]}, "constraints"),
        ({**GOOD, "anser": "C"}, "field"),
        ({**GOOD, "id": 3}, "field"),
        ({**GOOD, "answer": "C"}, "answer"),
        ({**GOOD, "answer": "c1cccc1"}, "answer"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, row: Any, kind: str) -> None:
    data = folder(tmp_path, GOOD, row)
    report = Constraints(data).check()
    assert (dict(report.rows), dict(report.counts)) == ({"test": 1}, {kind: 1})
    assert report.findings[0].line == 2
    with pytest.raises(DataError, match=r"test\.jsonl:2: expected"):
        list(Constraints(data).examples("test"))
    task = Constraints(DataSpec(source=data.source, skip_bad_rows=True))
    assert len(list(task.examples("test"))) == 1 and "left out 1 bad rows" in task.notes[0]


def test_an_edit_needs_a_molecule_to_change(tmp_path: Path) -> None:
    report = Edit(folder(tmp_path, GOOD, {**GOOD, "smiles": "C1CCCCC1"})).check()
    assert dict(report.rows) == {"test": 1} and report.findings[0].kind == "smiles"
    (tmp_path / "test.jsonl").unlink()
    with pytest.raises(DataError, match="no file for split 'test'"):
        list(Edit(DataSpec(source=str(tmp_path))).examples("test"))
