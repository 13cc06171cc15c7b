"""Preference files in every spelling, rows that are held out, and rows that teach nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import DataError, DataSpec, Example, Message, Preference
from harness.tasks.preferences.task import Preferences

TURNS = [{"from": "human", "value": "q"}]
SPELLINGS: list[dict[str, Any]] = [
    {"prompt": "q", "chosen": "good", "rejected": "bad"},
    {"question": "q", "response_chosen": "good", "response_rejected": "bad"},
    {"conversations": TURNS, "chosen": "good", "rejected": "bad"},
    {
        "prompt": [{"role": "user", "content": "q"}],
        "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "good"}],
        "rejected": [{"role": "assistant", "content": "bad"}],
    },
]


def written(folder: Path, rows: list[Any], name: str = "pairs.jsonl") -> Preferences:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Preferences(DataSpec(str(folder / name)))


def learned(task: Preferences, example: Example) -> Preference:
    (row,) = task.training_rows(example, task.prompt(example))
    assert isinstance(row, Preference)
    return row


@pytest.mark.parametrize("row", SPELLINGS)
def test_each_spelling_is_the_same_preference(tmp_path: Path, row: dict[str, Any]) -> None:
    task = written(tmp_path, [row] * 2)
    (example,) = task.examples("train")
    assert learned(task, example) == Preference("q", "good", "bad")
    assert example.references == ("good",)


def test_a_conversation_keeps_its_turns_and_its_system_prompt(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, *TURNS]
    row = {"system": "s", "conversations": turns, "chosen": "good", "rejected": "bad", "margin": 2}
    task = written(tmp_path, [{"prompt": "x", "chosen": "y", "rejected": "z"}, row])
    found = learned(task, next(task.examples("train")))
    assert [message.role for message in found.messages] == ["system", "user", "assistant", "user"]
    assert found.messages[-1] == Message("user", "q") and found.prompt == "q" and found.margin == 2


def test_what_a_model_has_to_know_of_a_prompt_travels_with_it(tmp_path: Path) -> None:
    row = {**SPELLINGS[0], "inputs": {"smiles": "CC"}}
    task = written(tmp_path, [row, row])
    assert learned(task, next(task.examples("train"))).inputs == {"smiles": "CC"}


def test_a_file_without_splits_holds_out_a_hundredth_of_its_rows(tmp_path: Path) -> None:
    rows = [{"prompt": str(n), "chosen": "good", "rejected": "bad"} for n in range(250)]
    task = written(tmp_path, rows)
    assert task.splits() == ("train", "validation")
    held = [example.inputs["prompt"] for example in task.examples("validation")]
    kept = [example.inputs["prompt"] for example in task.examples("train")]
    assert held == ["0", "100", "200"] and sorted(kept + held) == sorted(str(n) for n in range(250))


def test_files_named_for_splits_are_those_splits(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        written(tmp_path, [{**SPELLINGS[0], "prompt": split}], f"{split}.jsonl")
    task = Preferences(DataSpec(str(tmp_path)))
    assert task.splits() == ("train", "validation")
    assert [example.inputs["prompt"] for example in task.examples("validation")] == ["dev"]


@pytest.mark.parametrize(
    ("row", "kind", "sentence"),
    [
        ({**SPELLINGS[0], "chosen": "bad"}, "tie", "two different answers"),
        ({**SPELLINGS[0], "chosen": ""}, "answer", "an answer under 'chosen'"),
        ({**SPELLINGS[2], "conversations": []}, "question", "none before the answers"),
        ({**SPELLINGS[2], "conversations": [{"from": "alien", "value": "q"}]}, "speaker", "'alien'"),
        ({"chosen": "good", "rejected": "bad"}, "keys", "a list of turns"),
        ({**SPELLINGS[0], "margin": "big"}, "margin", "a margin that is a number"),
        ([1], "json", "an object"),
    ],
)
def test_a_row_that_teaches_nothing_is_refused_at_its_line(
    tmp_path: Path, row: Any, kind: str, sentence: str
) -> None:
    task = written(tmp_path, [SPELLINGS[0], row])
    with pytest.raises(DataError, match=r"pairs\.jsonl:2: expected") as refused:
        list(task.examples("train"))
    assert sentence in refused.value.message
    report = task.check()
    assert [(finding.kind, finding.line) for finding in report.findings] == [(kind, 2)]
    lenient = Preferences(DataSpec(task.data.source, skip_bad_rows=True))
    assert list(lenient.examples("train")) == [] and lenient.notes == [
        "1 bad rows of split 'train' were skipped"
    ]


def test_the_sample_spells_backwards_and_nearly_so() -> None:
    task = Preferences(DataSpec("sample"))
    rows = {split: list(task.examples(split)) for split in task.splits()}
    assert [len(rows[split]) for split in ("train", "validation", "test")] == [180, 20, 20]
    for example in rows["train"]:
        word = example.inputs["prompt"].split()[1]
        assert example.references == (word[::-1],) and sorted(example.meta["rejected"]) == sorted(word)
        assert example.meta["rejected"] != word[::-1]


def test_medicalgpts_sample_is_read(test_data: Path) -> None:
    task = Preferences(DataSpec(str(test_data / "medicalgpt" / "dpo_zh_500.jsonl")))
    report = task.check()
    assert report.rows == {"train": 495, "validation": 5} and not report.findings
