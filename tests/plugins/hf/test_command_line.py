"""A checkpoint of one's own by its path, on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOY = ("--task", "toy", "--limit", 3, "--quiet", "--set", "generate.max_new_tokens=4")


@pytest.fixture(autouse=True)
def mine(tiny_llama: Path, tmp_path: Path) -> None:
    """Lay a tiny model beside, where a user has one."""
    (tmp_path / "mine").symlink_to(tiny_llama)


def test_a_path_is_a_model(main: Callable[..., Any], tmp_path: Path) -> None:
    done = main("--model", "./mine", *TOY)
    assert done.code == 0, done.err
    assert f"hf:{(tmp_path / 'mine').resolve().name} [eval]" in done.out
    (record,) = tmp_path.glob("runs/toy/hf/*/record.json")
    assert json.loads(record.read_text())["environment"]["generation"]["model"]["template"] == "none"
    again = main("--model", "hf", "--checkpoint", "./mine", *TOY)
    assert "was finished" in again.out  # the same weights by another name are the same run


def test_two_folders_of_one_name_are_two_rows(
    main: Callable[..., Any], tmp_path: Path, tiny_llama: Path
) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "m").symlink_to(tiny_llama)
    done = main("--model", "./a/m,./b/m", *TOY, "--json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["runs"]) == 2


def test_it_is_fine_tuned_and_what_that_leaves_is_asked_again(
    main: Callable[..., Any], tmp_path: Path
) -> None:
    done = main("--model", "./mine", "--preset", "lora", "--max-steps", 2, *TOY)
    assert done.code == 0, done.err
    (trained,) = (path.parent for path in tmp_path.glob("runs/trained/hf/*/checkpoint.json"))
    again = main("--model", "hf", "--checkpoint", trained, *TOY)
    assert again.code == 0, again.err


@pytest.mark.parametrize(
    ("model", "code", "says"),
    [
        ("mine", 2, "--model ./mine opens the folder"),
        ("./absent", 4, "there is no model at absent"),
        ("toy/tny", 2, "did you mean toy/toy?"),
        ("org/absent", 4, "no model could be loaded from org/absent"),
        ("hf", 2, "--checkpoint DIR_OR_HUB_ID"),
    ],
)
def test_what_cannot_be_opened_is_said(main: Callable[..., Any], model: str, code: int, says: str) -> None:
    done = main("--model", model, *TOY)
    assert (done.code, says in done.err) == (code, True), done.err
