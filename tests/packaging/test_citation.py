"""How the project is cited is what the project is, and every bundled part has its card."""

import tomllib
from pathlib import Path

import pytest
import yaml

import harness

ROOT = Path(__file__).resolve().parents[2]
PARTS = sorted(path.parent for room in ("plugins", "tasks") for path in (ROOT / room).glob("*/__init__.py"))


def test_the_citation_names_this_version_and_licence() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert (cited["version"], cited["license"]) == (harness.__version__, project["license"])
    assert cited["authors"] == project["authors"]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.parent.name}/{part.name}")
def test_every_bundled_part_has_its_card(part: Path) -> None:
    card = (part / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# ") and "run-bench" in card
