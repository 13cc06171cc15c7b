"""Names, locants and sizes of generated molecules."""

import re

import pytest
from rdkit import Chem

from harness import UsageError
from harness.chem.generator import RINGS, generate, substituent_name


def describe(molecule):
    return f"{molecule.linker} {molecule.left} {molecule.right}"


def test_names_and_structures_agree_one_to_one():
    rows = generate(3, {"train": 3000}, describe)["train"]
    assert len({row.caption for row in rows}) == len({row.molecule.smiles for row in rows}) == 3000


@pytest.mark.parametrize(
    ("ring", "decoration", "expected"),
    [
        ("phenyl", (("chloro", 3), ("methyl", 4)), "3-chloro-4-methylphenyl"),
        ("pyridin-4-yl", (("chloro", 2), ("chloro", 6)), "2,6-dichloropyridin-4-yl"),
        ("1,3-thiazol-2-yl", (("nitro", 5),), "5-nitro-1,3-thiazol-2-yl"),
        ("phenyl", (("(trifluoromethyl)", 3), ("(trifluoromethyl)", 5)), "3,5-bis(trifluoromethyl)phenyl"),
        ("cyclohexyl", (), "cyclohexyl"),
    ],
)
def test_decorated_rings_are_named_as_chemists_do(ring, decoration, expected):
    assert substituent_name(next(r for r in RINGS if r.name == ring), decoration) == expected


def test_phenyl_locants_are_the_lowest():
    rows = generate(5, {"train": 2000}, describe)["train"]
    words = {word for row in rows for word in row.caption.split() if word.endswith("phenyl")}
    locants = {word: sorted(map(int, re.findall(r"\d", word))) for word in words}
    assert len(locants) > 100
    assert not [word for word, own in locants.items() if own > sorted(8 - locant for locant in own)]


def test_the_order_of_symmetric_sides_is_fixed():
    rows = generate(7, {"train": 6000}, describe)["train"]
    same = [r.molecule for r in rows if r.molecule.linker == "ether" and r.molecule.left.endswith("phenyl")]
    both = [m for m in same if m.right.endswith("phenyl")]
    assert both
    assert all(m.left <= m.right for m in both)


def test_every_molecule_is_readable_and_small_sizes_work():
    splits = generate(1, {"train": 8, "validation": 1, "test": 1}, describe)
    assert [len(rows) for rows in splits.values()] == [8, 1, 1]
    assert all(Chem.MolFromSmiles(row.molecule.smiles) for rows in splits.values() for row in rows)


def test_asking_for_more_than_the_parts_make_is_refused():
    with pytest.raises(UsageError, match="more than these parts make"):
        generate(1, {"train": 30}, lambda molecule: molecule.linker)
