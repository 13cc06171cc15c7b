"""Drawings are well-formed SVG, show what is shared, and survive any text."""

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.molecules.pictures import comparison, picture
from harness.tasks.chebi20.task import SmilesToText, TextToSmiles

GREEN = "#B7E5C1"


def parsed(svg):
    return ElementTree.fromstring(svg)


def test_a_molecule_is_drawn_with_its_smiles_as_title():
    svg = picture("c1ccccc1O", "phenol")
    assert parsed(svg).tag.endswith("svg")
    assert "<title>c1ccccc1O</title>" in svg
    assert GREEN not in svg


def test_the_shared_substructure_is_highlighted_on_both_sides():
    svg = comparison("Oc1ccccc1", "Nc1ccccc1")
    panels = parsed(svg).findall("{http://www.w3.org/2000/svg}svg")
    assert [panel.get("x") for panel in panels] == ["0", "320"]
    greens = [ElementTree.tostring(panel, encoding="unicode").upper().count(GREEN) for panel in panels]
    assert all(count > 6 for count in greens)


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
