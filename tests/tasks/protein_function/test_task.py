"""Protein function: what the sample says of its motifs, and published records."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness import DataError, DataSpec
from harness.tasks.protein_function.sample import MOTIFS, SIZES, sample
from harness.tasks.protein_function.task import ProteinFunction


def record(**changes: Any) -> dict[str, Any]:
    fields = {
        "instruction": "What does it do?",
        "input": "```\nMKV\n```",
        "output": "Binds.",
        "metadata": {"split": "test"},
    }
    return {**fields, **changes}


def test_descriptions_name_exactly_the_motifs_of_the_sequence_in_order() -> None:
    for sequence, text in [row for split in sample().values() for row in split]:
        found = {
            match.start(): function
            for motif, function in MOTIFS.items()
            for match in re.finditer(motif.replace("x", "[AVLIPFMSTNQY]"), sequence)
        }
        said = [found[at] for at in sorted(found)]
        assert text == f"The protein {' and '.join(said)}."


def test_the_sample_has_its_sizes_and_repeats_no_sequence() -> None:
    assert {split: len(rows) for split, rows in sample().items()} == SIZES
    sequences = [sequence for rows in sample().values() for sequence, _ in rows]
    assert len(set(sequences)) == len(sequences)


def test_published_records_are_read_by_their_split(tmp_path: Path) -> None:
    records = [
        record(),
        record(metadata="{'protein_accession': 'P1', 'split': 'train'}"),
        record(metadata={"split": "valid"}),
    ]
    (tmp_path / "protein_function.json").write_text(json.dumps(records), encoding="utf-8")
    for source in (tmp_path, tmp_path / "protein_function.json"):
        task = ProteinFunction(DataSpec(source=str(source)))
        assert task.splits() == ("train", "validation", "test")
        example = next(task.examples("test"))
        assert example.inputs == {"instruction": "What does it do?", "protein": "MKV"}
        assert example.references == ("Binds.",)
        assert task.prompt(example) == "What does it do?\nProtein: MKV\nFunction:"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "json:1 has no texts"),
        ("[1]", "json:1: expected an object, found '1'"),
        ("[", "json:1: expected a JSON object"),
        (json.dumps([record(input="MKV 7!")]), "no protein sequence"),
        (json.dumps([record(output=None)]), "has no texts"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "protein_function.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        list(ProteinFunction(DataSpec(source=str(tmp_path))).examples("train"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no protein_function\.json"):
        list(ProteinFunction(DataSpec(source=str(tmp_path))).examples("train"))
