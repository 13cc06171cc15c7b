"""Answers for a file of prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.plugins.scimind.predict import main

from .test_model import PAIRS, trained


def test_each_line_is_answered_in_its_order(tmp_path: Path) -> None:
    checkpoint = trained(tmp_path / "run")
    prompts = [pair.prompt.replace("\n", "\\n") for pair in PAIRS[:5]]
    (tmp_path / "prompts.txt").write_text("\n".join(prompts) + "\n", encoding="utf-8")
    arguments = [str(checkpoint.path), str(tmp_path / "prompts.txt"), str(tmp_path / "answers.jsonl")]
    assert main([*arguments, "--max-new-tokens", "40", "--release-quirks"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()]
    assert [row["prompt"] for row in rows] == prompts
    assert all(isinstance(row["answer"], str) for row in rows)


def test_a_missing_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), str(tmp_path / "none.txt"), str(tmp_path / "answers.jsonl")]) == 4
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "answers.jsonl").exists()


def test_a_folder_without_a_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prompts.txt").write_text("hello\n", encoding="utf-8")
    assert main([str(tmp_path), str(tmp_path / "prompts.txt"), str(tmp_path / "answers.jsonl")]) == 4
    assert "no LLaMA or SciMind could be loaded" in capsys.readouterr().err
