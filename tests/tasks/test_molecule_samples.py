"""The built-in samples of the molecule tasks."""

import re
import subprocess
import sys

import pytest
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from harness import DataSpec, UsageError
from harness.chem.generator import RINGS, SUBSTITUENTS
from harness.tasks.chebi20 import task as chebi20
from harness.tasks.chebi20.sample import STRUCTURE as CHEBI20_STRUCTURE
from harness.tasks.lpm24 import task as lpm24
from harness.tasks.lpm24.sample import STRUCTURE as LPM24_STRUCTURE

SPLITS = ("train", "validation", "test")
tasks = pytest.mark.parametrize("task", [lpm24, chebi20], ids=["lpm24", "chebi20"])


@tasks
def test_every_molecule_and_every_caption_occurs_once(task):
    examples = [e for split in SPLITS for e in task.TextToSmiles().examples(split)]
    assert len({e.references[0] for e in examples}) == len(examples)
    assert len({e.inputs["caption"] for e in examples}) == len(examples)
    assert len({e.id for e in examples}) == len(examples)


@tasks
def test_smiles_are_canonical(task):
    for example in task.TextToSmiles().examples("test"):
        smiles = example.references[0]
        assert Chem.CanonSmiles(smiles) == smiles


@tasks
def test_no_scaffold_of_the_test_split_is_seen_in_training(task):
    scaffolds = {
        split: {
            MurckoScaffold.MurckoScaffoldSmiles(e.references[0]) for e in task.TextToSmiles().examples(split)
        }
        for split in SPLITS
    }
    assert len(scaffolds["test"]) > 50
    assert not scaffolds["test"] & (scaffolds["train"] | scaffolds["validation"])
    assert not scaffolds["validation"] & scaffolds["train"]


@tasks
def test_every_word_part_of_a_test_caption_is_seen_in_training(task):
    words = {
        split: {part for e in task.TextToSmiles().examples(split) for part in parts(e.inputs["caption"])}
        for split in ("train", "test")
    }
    assert words["test"] <= words["train"]


STEMS = {re.search("[a-z]{3,}", ring.name).group() for ring in RINGS}
PARTS = sorted([*STEMS, *(name.strip("()") for name in SUBSTITUENTS), "di"], key=len)[::-1]


def parts(caption):
    return re.findall("|".join([*PARTS, "[a-z]+", "[0-9]"]), caption)


@tasks
def test_both_directions_read_the_same_rows_of_the_same_split(task):
    for split in SPLITS:
        forward = [(e.id, e.inputs["caption"], e.references[0]) for e in task.TextToSmiles().examples(split)]
        backward = [(e.id, e.references[0], e.inputs["smiles"]) for e in task.SmilesToText().examples(split)]
        assert forward == backward


def test_captions_vary_their_wording():
    openings = {e.inputs["caption"].split()[0:3][-1] for e in lpm24.TextToSmiles().examples("test")}
    assert len(openings) >= 6
    assert len(set(LPM24_STRUCTURE.values())) == len(set(CHEBI20_STRUCTURE.values())) == 12


def test_a_fresh_process_makes_the_same_rows():
    code = (
        "from harness.tasks.lpm24.sample import sample; import hashlib;"
        "print(hashlib.sha256(repr(sample('test')).encode()).hexdigest())"
    )
    digests = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(digests) == 1


@tasks
def test_defining_the_task_imports_no_rdkit(task):
    code = f"import sys, {task.__name__}; assert not {{'rdkit', 'numpy'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@tasks
def test_an_unknown_split_names_the_known_ones(task):
    with pytest.raises(UsageError) as error:
        list(task.TextToSmiles(DataSpec()).examples("testing"))
    assert "testing" in error.value.message
    assert "test" in error.value.hint
