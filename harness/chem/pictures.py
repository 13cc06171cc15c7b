"""Drawings of molecules as SVG: one alone, or a reference and an output with what they share in colour."""

from __future__ import annotations

import math
import re
from html import escape
from typing import Any

from rdkit.Chem import rdDepictor, rdFMCS
from rdkit.Chem.Draw import rdMolDraw2D

from harness.files.visible import visible

from .smiles import molecule

SIZE = (320, 240)  # pixels of one molecule
MAX_ATOMS = 250  # larger ones are unreadable at this size and slow to compare
IN_BOTH = "output (green: in both)"
BOND = 36  # pixels of a bond, less in a molecule that would not fit
LEGEND = 24  # pixels below a molecule
SECONDS = 2  # for the search of the largest shared substructure
MAX_STRETCH = 1.5  # longest bond of a drawing to its shortest
SHARED = (0.72, 0.90, 0.76)
MARKS = re.compile(r" class='[^']*'")  # of atoms and bonds, for scripts that nothing here has
STYLE = re.compile(r"style='([^']*)'")


def picture(smiles: str, legend: str = "", *, size: tuple[int, int] = SIZE) -> str:
    """Return an SVG of a molecule; text that is none is written out instead."""
    mol = _drawable(smiles)
    if mol is None:
        return _written(smiles, legend, size)
    return _panel(mol, ([], []), legend, smiles, size)


def comparison(reference: str, output: str, *, size: tuple[int, int] = SIZE) -> str:
    """Return one SVG with reference and output side by side, their largest shared substructure in green.

    The substructure matches elements and bond orders, only whole rings; stereo is not compared.
    """
    wanted, found = _drawable(reference), _drawable(output)
    in_wanted, in_found = _shared(wanted, found)
    if in_wanted[0]:
        _align(found, wanted, list(zip(in_wanted[0], in_found[0], strict=True)))
    parts = [
        _written(reference, "reference", size)
        if wanted is None
        else _panel(wanted, in_wanted, "reference", reference, size),
        _written(output, "output", size) if found is None else _panel(found, in_found, IN_BOTH, output, size),
    ]
    placed = "".join(
        part.replace("<svg ", f'<svg x="{index * size[0]}" ', 1) for index, part in enumerate(parts)
    )
    width, height = 2 * size[0], size[1]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">'
        f"<title>reference {_xml(reference)}, output {_xml(output)}</title>{placed}</svg>"
    )


def _drawable(smiles: str) -> Any | None:
    mol = molecule(smiles.strip())
    if mol is None or not 0 < mol.GetNumAtoms() <= MAX_ATOMS:
        return None
    rdDepictor.Compute2DCoords(mol)
    return mol


Part = tuple[list[int], list[int]]  # atoms and bonds


def _shared(wanted: Any | None, found: Any | None) -> tuple[Part, Part]:
    """Return the largest substructure that both have, nothing where there is less than a bond."""
    nothing: Part = ([], [])
    if wanted is None or found is None:
        return nothing, nothing
    result = rdFMCS.FindMCS(
        [wanted, found], timeout=SECONDS, ringMatchesRingOnly=True, completeRingsOnly=True
    )
    if result.numBonds == 0:
        return nothing, nothing
    return _match(wanted, result.queryMol), _match(found, result.queryMol)


def _match(mol: Any, query: Any) -> Part:
    atoms = list(mol.GetSubstructMatch(query))
    ends = [(atoms[bond.GetBeginAtomIdx()], atoms[bond.GetEndAtomIdx()]) for bond in query.GetBonds()]
    return atoms, [mol.GetBondBetweenAtoms(*pair).GetIdx() for pair in ends]


def _align(mol: Any, wanted: Any, atoms: list[tuple[int, int]]) -> None:
    """Draw what is shared the same way round as in the wanted molecule, unless that bends the rest."""
    rdDepictor.GenerateDepictionMatching2DStructure(mol, wanted, atoms)
    at = mol.GetConformer().GetPositions()
    lengths = [math.dist(at[bond.GetBeginAtomIdx()], at[bond.GetEndAtomIdx()]) for bond in mol.GetBonds()]
    if max(lengths) > MAX_STRETCH * min(lengths):
        rdDepictor.Compute2DCoords(mol)


def _panel(mol: Any, highlighted: Part, legend: str, title: str, size: tuple[int, int]) -> str:
    width, height = size
    room = LEGEND if legend else 0
    # Letters stay text: as outlines they are half of the bytes.
    drawing = rdMolDraw2D.MolDraw2DSVG(width, height - room, -1, -1, True)
    options: Any = drawing.drawOptions()
    options.setHighlightColour(SHARED)
    options.fixedBondLength = BOND
    atoms, bonds = highlighted
    rdMolDraw2D.PrepareAndDrawMolecule(drawing, mol, highlightAtoms=atoms, highlightBonds=bonds)
    drawing.FinishDrawing()
    svg: str = drawing.GetDrawingText()
    svg = MARKS.sub("", svg[svg.index("<svg") :])
    # A style is said once instead of with each line, which leaves a third of the size.
    styles = list(dict.fromkeys(STYLE.findall(svg)))
    for number, style in enumerate(styles):
        svg = svg.replace(f"style='{style}'", f"class='{legend[:1]}s{number}'")
    rules = "".join(f".{legend[:1]}s{number}{{{style}}}" for number, style in enumerate(styles))
    drawn = svg.replace("<!-- END OF HEADER -->", f"<style>{rules}</style>", 1).strip()
    return _sheet(f"<title>{_xml(title)}</title>{drawn}{_line(legend, width, height - 8)}", size)


def _sheet(content: str, size: tuple[int, int]) -> str:
    """Return an SVG with a white ground, which molecules are drawn for."""
    width, height = size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><rect width="{width}" height="{height}" fill="#FFFFFF"/>'
        f"{content}</svg>"
    )


def _line(text: str, width: int, y: int, font: str = "sans-serif") -> str:
    return (
        f'<text x="{width // 2}" y="{y}" text-anchor="middle" font-family="{font}" font-size="13">'
        f"{_xml(text)}</text>"
    )


def _written(text: str, legend: str, size: tuple[int, int]) -> str:
    """Return a panel that shows text which cannot be drawn."""
    width, height = size
    short = text if len(text) <= 36 else text[:33] + "…"
    said = _line(short or "(nothing)", width, height // 2, "monospace")
    reason = _line("not a molecule that can be drawn", width, height // 2 + 20)
    return _sheet(said + reason + _line(legend, width, height - 8), size)


def _xml(text: str) -> str:
    """Escape a text; characters that XML forbids are replaced."""
    return escape(visible(text))
