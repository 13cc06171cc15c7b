"""Conversations in every spelling become the same turns, and what teaches nothing is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import Conversation, DataError, DataSpec, Message
from harness.data.convert import FORMS, convert
from harness.data.instructions import Taught, read_instructions
from harness.tasks.conversations.task import Conversations

ASKED, SAID = "What burns?", "Ethanol does."
SPELLINGS: dict[str, dict[str, Any]] = {
    "sharegpt": {"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": SAID}]},
    "messages": {"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": SAID}]},
    "alpaca": {"instruction": ASKED, "input": "", "output": SAID},
    "dolly": {"instruction": ASKED, "context": "", "response": SAID, "category": "open_qa"},
    "qa": {"question": ASKED, "answer": SAID},
    "问答": {"问": ASKED, "答": SAID},
    "completion": {"prompt": ASKED, "completion": SAID},
    "mozi": {"question": ASKED, "answer": SAID, "evidence": ""},
}
CALL = '{"name": "add", "arguments": {"a": 1, "b": 2}}'
TOOL = '[{"name": "add", "parameters": {}}]'
CALLED = [
    {"from": "human", "value": "1 + 2?"},
    {"from": "function_call", "value": CALL},
    {"from": "observation", "value": "3"},
    {"from": "gpt", "value": "3."},
]


def written(folder: Path, rows: list[Any], name: str = "talk.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


def read(file: Path) -> list[Taught]:
    rows = [row for _, row in read_instructions(file)]
    assert all(isinstance(row, Taught) for row in rows), rows
    return rows  # type: ignore[return-value]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_a_question_and_its_answer(tmp_path: Path, spelling: str) -> None:
    (row,) = read(written(tmp_path, [SPELLINGS[spelling]]))
    assert row == Taught((Message("user", ASKED), Message("assistant", SAID)))


def test_a_system_prompt_a_history_and_evidence_are_kept(tmp_path: Path) -> None:
    rows = [
        {"instruction": "b?", "input": "c", "output": "d", "system": "s", "history": [["a?", "e"]]},
        {"question": "q?", "answer": "a", "evidence": "It burns."},
    ]
    told, shown = read(written(tmp_path, rows))
    assert [turn.text for turn in told.turns] == ["s", "a?", "e", "b?\nc", "d"]
    assert shown.evidence == "It burns."
    (example,) = Conversations(DataSpec(str(written(tmp_path, rows[1:], "test.jsonl")))).examples("test")
    assert example.inputs["prompt"] == "It burns.\n\nq?"


def test_a_row_with_tools_is_asked_with_them_and_learned_whole(tmp_path: Path) -> None:
    file = written(tmp_path, [{"conversations": CALLED, "tools": TOOL}], "test.jsonl")
    task = Conversations(DataSpec(str(file)))
    (example,) = task.examples("test")
    request = task.request(example, task.prompt(example))
    assert (request.prompt, request.tools) == ("", TOOL)
    assert [message.role for message in request.messages] == ["user", "assistant", "tool"]
    (row,) = task.training_rows(example, "")
    assert isinstance(row, Conversation) and row.tools == TOOL
    assert [message.role for message in row.messages] == ["user", "assistant", "tool", "assistant"]


@pytest.mark.parametrize(
    ("row", "kind", "found"),
    [
        ({"conversations": []}, "order", "nobody"),
        ({"conversations": [{"from": "gpt", "value": "a"}]}, "order", "assistant"),
        ({"conversations": [{"from": "human", "value": "a"}]}, "answer", "user"),
        ({"conversations": [{"from": "alien", "value": "a"}]}, "speaker", "alien"),
        ({"conversations": [{"from": "human", "value": 7}]}, "turn", "7"),
        ({"question": ASKED, "answer": ""}, "empty", "assistant"),
        ({"question": ASKED, "answer": None}, "text", "None"),
        ({"instruction": ASKED, "output": 3}, "text", "3"),
        ({"instruction": ASKED, "output": SAID, "history": [["a"]]}, "history", "['a']"),
        (
            {"conversations": [*CALLED[:1], {"from": "function_call", "value": "add"}, *CALLED[2:]]},
            "call",
            "add",
        ),
        ({"question": ASKED, "answer": SAID, "tools": "[{}]"}, "tools", "[{}]"),
        ({"text": "a"}, "keys", "text"),
    ],
)
def test_a_row_that_teaches_nothing_is_named_at_its_line(
    tmp_path: Path, row: Any, kind: str, found: str
) -> None:
    file = written(tmp_path, [SPELLINGS["qa"], row])
    report = Conversations(DataSpec(str(file))).check()
    assert [(finding.kind, finding.line) for finding in report.findings] == [(kind, 2)]
    assert found in report.findings[0].found
    with pytest.raises(DataError, match=r"talk\.jsonl:2: expected"):
        list(Conversations(DataSpec(str(file))).examples("train"))


def test_questions_that_stand_twice_are_named_and_kept(tmp_path: Path) -> None:
    rows = [SPELLINGS["qa"], {"question": "And?", "answer": "No."}, SPELLINGS["alpaca"], SPELLINGS["qa"]]
    report = Conversations(DataSpec(str(written(tmp_path, rows, "train.jsonl")))).check()
    assert report.rows == {"train": 4} and report.counts == {"repeated": 2}
    assert not report.findings[0].bad


@pytest.mark.parametrize("form", [form for form in FORMS if form != "text"])
def test_a_form_is_read_back_as_it_was_written(tmp_path: Path, form: str) -> None:
    rows = [*SPELLINGS.values()]
    more: dict[str, list[Any]] = {
        "sharegpt": [{"conversations": CALLED, "tools": TOOL}],
        "messages": [{"conversations": CALLED, "tools": TOOL}],
        "alpaca": [{"instruction": "b?", "output": "d", "system": "s", "history": [["a?", "e"]]}],
        "mozi": [{"question": "q?", "answer": "a", "evidence": "It burns."}],
    }
    file = written(tmp_path, rows + more.get(form, []))
    for name in ("out.jsonl", "out.json"):
        assert convert(file, tmp_path / name, form) == (len(rows) + len(more.get(form, [])), 0)
        assert read(tmp_path / name) == read(file)


def test_a_row_that_a_form_has_no_room_for_stops_it_or_is_left_out(tmp_path: Path) -> None:
    rows = [SPELLINGS["qa"], {"conversations": CALLED, "tools": TOOL}]
    file = written(tmp_path, rows)
    with pytest.raises(DataError, match=r"talk\.jsonl:2: expected questions with answers in turn"):
        convert(file, tmp_path / "out.jsonl", "qa")
    assert not (tmp_path / "out.jsonl").exists()
    assert convert(file, tmp_path / "out.jsonl", "qa", skip=True) == (1, 1)
    assert convert(file, tmp_path / "text.jsonl", "text", skip=True) == (1, 1)
    assert json.loads((tmp_path / "text.jsonl").read_text()) == {"text": f"{ASKED}\n{SAID}"}


def test_the_sample_has_turns_orders_and_tools(tmp_path: Path) -> None:
    task = Conversations(DataSpec("sample"))
    rows = {split: list(task.examples(split)) for split in task.splits()}
    assert [len(rows[split]) for split in rows] == [240, 30, 60]
    assert {bool(row.meta["tools"]) for row in rows["train"]} == {True, False}
    assert {row.messages[0].role for row in rows["train"] if row.messages} == {"user", "system"}


def test_the_files_of_medicalgpt_and_bentsao_are_read(test_data: Path) -> None:
    for file, count in (
        ("medicalgpt/medical_sft_1K_format.jsonl", 1000),
        ("medicalgpt/sample.jsonl", 32),
        ("medicalgpt/medical_corpus.txt", 87),
        ("bentsao/llama_data.json", 8658),
    ):
        report = Conversations(DataSpec(str(test_data / file))).check()
        assert sum(report.rows.values()) == count, report.findings
