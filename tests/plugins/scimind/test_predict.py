"""Answers for a file of prompts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .test_model import PAIRS, trained


def test_each_line_is_answered_in_its_order(main: Callable[..., Any], tmp_path: Path) -> None:
    checkpoint = trained(tmp_path / "run")
    prompts = [pair.prompt.replace("\n", "\\n") for pair in PAIRS[:5]]
    (tmp_path / "prompts.txt").write_text("\n".join(prompts) + "\n", encoding="utf-8")
    files = (checkpoint.path, tmp_path / "prompts.txt", tmp_path / "answers.jsonl")
    done = main("predict", *files, "--max-new-tokens", "40", "--release-quirks")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()]
    assert [row["prompt"] for row in rows] == prompts
    assert all(isinstance(row["answer"], str) for row in rows)


def test_a_missing_file_is_one_sentence(main: Callable[..., Any], tmp_path: Path) -> None:
    done = main("predict", tmp_path, tmp_path / "none.txt", tmp_path / "answers.jsonl")
    assert done.code == 4 and done.err.startswith("error: ")
    assert not (tmp_path / "answers.jsonl").exists()


def test_a_folder_without_a_model_is_one_sentence(main: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("hello\n", encoding="utf-8")
    done = main("predict", tmp_path, tmp_path / "prompts.txt", tmp_path / "answers.jsonl")
    assert done.code == 4 and "no LLaMA or SciMind could be loaded" in done.err
