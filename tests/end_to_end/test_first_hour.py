"""A model and a table of one's own give a scored, comparable, publishable run in three commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROWS = "question,A,B,C,answer\n" + "".join(
    f"What is {n} and {n}?,{2 * n},{n},{3 * n},{'ABC'[n % 3]}\n" for n in range(1, 9)
)


@pytest.fixture
def at_home(tmp_path: Path, tiny_llama: Path) -> Path:
    """A folder with a checkpoint and a table, as a newcomer has them."""
    (tmp_path / "my-model").symlink_to(tiny_llama)
    (tmp_path / "exam.csv").write_text(ROWS)
    return tmp_path


def test_three_commands_score_a_model_on_a_table_and_publish_the_row(
    main: Callable[..., Any], at_home: Path
) -> None:
    written = main("new-plugin", "--from", "exam.csv")
    assert written.code == 0, written.err
    ran = main("--model", "./my-model", "--task", "exam.toml", "--quiet")
    assert ran.code == 0, ran.err
    published = main("leaderboard", "--publish", "public")
    assert published.code == 0, published.err

    (record,) = at_home.glob("runs/table/exam/hf/*/record.json")
    facts = json.loads(record.read_text())
    assert facts["rows"] == 8 and not facts["sample"] and facts["scores"]["accuracy"]["interval"]
    (table,) = json.loads(main("leaderboard", "--board", "public", "--json").out)
    (line,) = table["lines"]
    assert line["scores"]["accuracy"]["value"] == facts["scores"]["accuracy"]["value"]
    assert main("leaderboard", "verify", "--board", "public").code == 0
    assert main("compare", record.parent, record.parent).code == 0
