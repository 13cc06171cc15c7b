"""The cells of the notebook run from top to bottom, and what they show is there to be seen."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "notebook.ipynb"


def cells() -> list[str]:
    """Return the code of each cell."""
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]


def shown(folder: Path) -> Iterator[Any]:
    """Run the cells in one namespace, as a notebook does, and yield what each ends with."""
    names: dict[str, Any] = {}
    for number, text in enumerate(cells()):
        *before, last = ast.parse(text).body
        assert isinstance(last, ast.Expr)
        exec(compile(ast.Module(before, []), f"cell {number}", "exec"), names)
        yield eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)


def test_every_cell_runs_and_shows_what_its_text_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    result, table, found, drawn, molecules, scores = shown(tmp_path)
    assert "letter-accuracy" in result._repr_html_() and "built-in sample" in result._repr_html_()
    assert {"id", "text", "letter-accuracy"} <= set(table.columns) and "scores" not in table.columns
    assert found == result.scores
    assert drawn._repr_html_().count("<svg") >= 2
    assert "95 % interval" in molecules._repr_html_() and " to " in molecules._repr_html_()
    assert scores["molecule-exact"][0] == 0.5


def test_the_notebook_is_kept_without_what_it_has_shown() -> None:
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert not [cell for cell in content["cells"] if cell.get("outputs") or cell.get("execution_count")]
