"""Molecules that could hang or crash RDKit: bounded in time, counted, named, and no fault of the answer."""

import pytest

from harness import StageError, children
from harness.chem import guard
from harness.chem.guard import Guard
from harness.chem.molecules import LONG, Molecules

STAR = "*" + "(C)" * 40  # its path fingerprint would take gigabytes
LONG_CHAIN = "C" * (LONG + 1)


@pytest.fixture
def guarded():
    made = Guard()
    yield made
    made.stop()


def test_the_child_answers_in_plain_text_and_fingerprints(guarded):
    assert guarded.ask("OCC", "canonical") == "CCO"
    assert guarded.ask("OCC", "maccs").GetNumOnBits() > 0
    assert guarded.ask("C(C", "canonical") is None
    assert guarded.beyond == {}


def test_a_question_that_ends_the_child_is_named_and_the_next_molecule_is_answered(guarded):
    assert guarded.ask(STAR, "rdk") is None
    assert guarded.beyond == {STAR: {"rdk"}}
    assert guarded.ask("OCC", "canonical") == "CCO"


def test_a_molecule_has_a_budget_for_all_questions_and_a_file_one_for_all_molecules(guarded, monkeypatch):
    monkeypatch.setattr(guarded, "_reply", lambda text, question, seconds: ("said", 2.0))
    assert [guarded.ask("a", question) for question in "wxyz"] == ["said", "said", "said", None]
    monkeypatch.setattr(guarded, "_left", 3.0)
    assert [guarded.ask(text, "w") for text in "bcd"] == ["said", "said", None]
    assert guarded.beyond == {"a": {"z"}, "d": {"w"}}
    guarded.renew()
    assert guarded.ask("e", "w") == "said"


def test_a_molecule_that_cannot_be_read_in_time_is_counted_and_named(monkeypatch):
    monkeypatch.setattr(guard, "FILE_SECONDS", 0)
    molecules = Molecules()
    assert not molecules[LONG_CHAIN].valid
    assert molecules.note([LONG_CHAIN, "CCO"]).startswith("1 molecule was beyond RDKit")
    assert LONG_CHAIN[:20] in molecules.note([LONG_CHAIN])
    assert molecules.note(["CCO"]) == ""


@pytest.mark.parametrize("name", ["json.py", "harness.py", "rdkit.py"])
def test_files_of_the_current_folder_are_never_executed_and_change_no_answer(
    tmp_path, monkeypatch, guarded, name
):
    (tmp_path / name).write_text("open('executed', 'w').close(); raise SystemExit('no')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    assert guarded.ask(LONG_CHAIN, "atoms") == str(LONG + 1)
    assert not (tmp_path / "executed").exists()


def test_a_child_that_cannot_start_is_an_error_and_no_invalid_molecule(tmp_path, monkeypatch, guarded):
    (tmp_path / "rdkit").mkdir()
    (tmp_path / "rdkit" / "__init__.py").write_text("raise RuntimeError('a broken library')")
    monkeypatch.setattr(children, "environment", lambda: {"PYTHONPATH": f"{tmp_path}"})
    with pytest.raises(StageError, match="cannot start: "):
        guarded.ask(LONG_CHAIN, "atoms")
