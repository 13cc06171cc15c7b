"""Drawings are well-formed SVG, show what is shared, and survive any text."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.chem.pictures import comparison, picture
from harness.tasks.chebi20.task import SmilesToText, TextToSmiles

GREEN = "#B7E5C1"


def parsed(svg):
    return ElementTree.fromstring(svg)


def panels(svg):
    return parsed(svg).findall("{http://www.w3.org/2000/svg}svg")


def test_a_molecule_is_drawn_with_its_smiles_as_title():
    svg = picture("c1ccccc1O", "phenol")
    assert parsed(svg).tag.endswith("svg")
    assert "<title>c1ccccc1O</title>" in svg
    assert GREEN not in svg


def test_the_shared_substructure_is_highlighted_on_both_sides():
    both = panels(comparison("Oc1ccccc1", "Nc1ccccc1"))
    assert [panel.get("x") for panel in both] == ["0", "320"]
    for panel in both:
        rules = re.findall(r"\.(\w+)\{([^}]*)\}", ElementTree.tostring(panel, encoding="unicode"))
        green = {name for name, style in rules if f"fill:{GREEN}" in style}
        assert sum(element.get("class") in green for element in panel.iter()) > 6


def test_molecules_without_a_shared_bond_have_nothing_highlighted():
    assert GREEN not in comparison("CCCC", "[Na+].[Cl-]").upper()


@pytest.mark.parametrize("output", ["", "C(C", "<script>alert(1)</script>", "C" * 4000, "water & salt"])
def test_text_that_cannot_be_drawn_is_written_out(output):
    svg = comparison("CCO", output)
    parsed(svg)
    assert "not a molecule that can be drawn" in svg
    assert "<script>" not in svg


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30))
def test_any_text_gives_well_formed_svg(text):
    parsed(comparison("CCO", text))


def test_tasks_draw_their_rows():
    for kind in (TextToSmiles, SmilesToText):
        task = kind()
        example = next(iter(task.examples("validation")))
        assert parsed(task.picture(example, "CCO")).tag.endswith("svg")


def lines(panel):
    """Return the straight strokes of a drawing."""
    found = [re.findall(r"-?[0-9.]+", e.get("d")) for e in panel.iter() if e.tag.endswith("path")]
    ends = [tuple(map(float, line)) for line in found if len(line) == 4]
    return sorted(tuple(sorted((line[:2], line[2:]))) for line in ends)


def test_the_same_molecule_is_drawn_the_same_way_round_however_it_is_written():
    reference, output = panels(comparison("Cc1ccccc1OC(=O)CCN", "NCCC(=O)Oc1c(C)cccc1"))
    assert lines(reference) == lines(output)


def test_a_molecule_beside_an_unlike_one_is_not_bent():
    steroid = "C[C@H](CCCC(C)C)[C@H]1CCC2=C3CCC4[C@@]([C@H]3CC[C@]12C)(CC[C@@H](C4(C)C)O)C"
    ketone = "C[C@H](CCC(=C)C)[C@H]1CC[C@@H]2[C@@]1(CC[C@H]3[C@H]2CCC4=CC(=O)CC[C@]34C)C"
    _, output = panels(comparison(steroid, ketone))
    lengths = sorted(math.dist(*line) for line in lines(output))
    assert lengths[-1] < 1.5 * lengths[-len(lengths) // 4]
