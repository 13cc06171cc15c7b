"""QASPER: settings, the sample's promises, published files, Mozi's form."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import Annotation, DataError, DataSpec, Pairs, Prediction, UsageError
from harness.metrics import qa
from harness.tasks.qasper.sample import SIZES, sample
from harness.tasks.qasper.task import Gold, QasperOptions, Recalled, Unaided, Whole, YesNo


@pytest.fixture
def opened(load):
    registry = load()

    def open_task(kind, source="sample", **options):
        task = kind(DataSpec(source=str(source)), QasperOptions(**options))
        task.open_retriever = registry.retriever
        return task

    return open_task


def rows(task, split="test"):
    return list(task.examples(split))


def test_each_setting_shows_what_it_says(opened):
    for gold, recalled, unaided, whole in zip(
        *(rows(opened(kind)) for kind in (Gold, Recalled, Unaided, Whole)), strict=True
    ):
        assert gold.inputs["question"] == recalled.inputs["question"] == unaided.inputs["question"]
        assert gold.references == unaided.references
        marked = gold.annotations[0].evidence
        assert not marked or gold.meta["shown"] == marked
        assert len(recalled.meta["shown"]) == 2 and set(recalled.meta["shown"]) <= set(whole.meta["shown"])
        assert unaided.inputs["evidence"] == "" and unaided.meta["shown"] == ()
        assert len(whole.meta["shown"]) == len(whole.passages)


def test_an_unanswerable_question_is_not_given_away_by_an_empty_prompt(opened):
    unanswerable = [row for row in rows(opened(Gold)) if row.references[0] == "Unanswerable"]
    assert len(unanswerable) > 50
    assert all(row.inputs["evidence"] for row in unanswerable)


def test_a_request_carries_the_shown_passages_and_no_other(opened):
    task = opened(Recalled, top_k=3, retriever="bm25")
    row = rows(task)[0]
    request = task.request(row, task.prompt(row))
    assert [passage.id for passage in request.passages] == list(row.meta["shown"])
    assert request.inputs["evidence"] == "\n".join(passage.text for passage in request.passages)
    assert request.prompt.startswith(request.passages[0].text)


def test_names_and_sizes_of_the_test_stand_in_no_training_paper():
    found = {
        split: {
            word
            for paper in papers
            for passage in paper.passages
            for word in re.findall(r"\b[A-Z](?:[a-z]{5})\b|\d+,\d{3}", passage.text)
        }
        for split, papers in sample().items()
    }
    assert {split: len(papers) for split, papers in sample().items()} == SIZES
    common = {"Arabic", "German", "Follow", "Within"}
    assert not (found["test"] & found["train"]) - common
    assert not (found["validation"] & found["test"]) - common


def test_the_sample_has_all_kinds_of_answers_several_annotators_and_evidence():
    answers = [question.answers for paper in sample()["test"] for question in paper.questions]
    kinds = [given[0].kind for given in answers]
    assert {kind: kinds.count(kind) > 40 for kind in set(kinds)} == dict.fromkeys(
        ("extractive", "abstractive", "boolean", "none"), True
    )
    assert {len(given) for given in answers} == {1, 2, 3}
    assert any(len({answer.text for answer in given}) > 1 for given in answers)
    assert all(bool(answer.evidence) == (answer.kind != "none") for given in answers for answer in given)


def test_the_evidence_holds_an_extractive_answer_word_for_word():
    for paper in sample()["test"]:
        for question in paper.questions:
            first = question.answers[0]
            if first.kind == "extractive" and "epochs" not in first.text and " " not in first.text:
                assert first.text in " ".join(passage.text for passage in paper.texts(first.evidence))


def test_the_learned_answer_rests_on_the_evidence_shown(opened):
    task = opened(Gold)
    example = rows(task)[0]
    changed = replace(
        example,
        references=("no", "yes"),
        annotations=(Annotation("none"), Annotation("extractive", tuple(example.meta["shown"]))),
    )
    assert task.target(changed) == "yes"


def test_real_papers_score_as_the_official_script_does(opened, test_data):
    task = opened(Gold, test_data / "qasper")
    assert task.splits() == ("test",)
    found = rows(task)
    assert len(found) == 1451
    golden = json.loads((Path(__file__).parents[2] / "golden" / "answers.json").read_text())["qasper"]
    first = [
        (row, Prediction(row.id, row.references[0], evidence=row.annotations[0].evidence)) for row in found
    ]
    wanted = golden["first_annotator"]
    assert qa.qasper_f1(Pairs(first)).value == pytest.approx(wanted["Answer F1"], abs=1e-12)
    assert qa.qasper_evidence_f1(Pairs(first)).value == pytest.approx(wanted["Evidence F1"], abs=1e-3)
    text = golden["first_annotator--text_evidence_only"]["Evidence F1"]
    assert qa.qasper_evidence_f1_text(Pairs(first)).value == pytest.approx(text, abs=1e-3)
    silent = [(row, Prediction(row.id, "Unanswerable")) for row in found]
    wanted = golden["unanswerable"]
    assert qa.qasper_evidence_f1(Pairs(silent)).value == pytest.approx(wanted["Evidence F1"], abs=1e-3)


def test_a_submission_may_name_paragraphs_by_their_text(opened, test_data):
    row = next(row for row in rows(opened(Gold, test_data / "qasper")) if row.annotations[0].evidence)
    texts = {passage.id: passage.text for passage in row.passages}
    by_text = Prediction(row.id, "", evidence=tuple(texts[name] for name in row.annotations[0].evidence))
    assert qa.qasper_evidence_f1(Pairs([(row, by_text)])).value == 1


def test_mozis_form_has_its_questions_and_its_wording(opened, test_data):
    found = rows(opened(Gold, test_data / "qasper", form="mozi"))
    assert len(found) == 1268
    assert len({row.inputs["question"] for row in found}) == 1268
    answers = [text for row in found for text in row.references]
    assert any(text.startswith("The answers are shown as follows:\n* ") for text in answers)
    assert {"Yes.", "No."} < set(answers) and "Unanswerable" not in answers
    assert opened(Gold, form="mozi").metrics[0] == "mozi-f1"


def test_mozis_form_is_scored_with_bertscore_where_an_encoder_is_named(opened, monkeypatch):
    monkeypatch.delenv("HARNESS_BERTSCORE", raising=False)
    assert "mozi-bertscore" not in opened(Gold, form="mozi").metrics
    monkeypatch.setenv("HARNESS_BERTSCORE", "./roberta-large")
    assert "mozi-bertscore" in opened(Gold, form="mozi").metrics
    assert "mozi-bertscore" not in opened(Gold).metrics


def test_mozi_learns_one_row_an_answer(opened):
    learned = rows(opened(Gold, form="mozi"), "train")
    assert all(len(row.references) == 1 for row in learned)
    answerable = sum(
        answer.kind != "none" for paper in sample()["train"] for q in paper.questions for answer in q.answers
    )
    assert len(learned) == answerable


def test_mozis_probe_asks_each_yes_or_no_after_three_solved_questions(opened, test_data):
    task = opened(YesNo, test_data / "qasper", form="mozi")
    found = rows(task)
    # of 493 such answers in the published test, 73 rest on no evidence
    assert len(found) == 420 and task.metrics == ("accuracy", "macro-f1")
    assert {row.references for row in found} == {("Yes",), ("No",)}
    prompt = task.prompt(found[0])
    assert prompt.startswith("## Description: ") and prompt.count("### Choices:\nA. No.\nB. Yes") == 4
    assert prompt.endswith("?.\n### Choices:\nA. No.\nB. Yes.\n### Answer:\n")
    assert [part.split("\n")[0] for part in prompt.split("### Answer:\n")[1:]] == ["Yes.", "No.", "No.", ""]
    assert task.request(found[0], prompt).choices == ("No", "Yes")


def test_dollys_instructions_are_learned_with_the_papers_and_never_asked(opened, tmp_path):
    path = tmp_path / "databricks-dolly-15k.jsonl"
    given = {"instruction": "Who wrote it?", "context": "Ada wrote it.", "response": "Ada", "category": "qa"}
    path.write_text(json.dumps(given) + "\n" + json.dumps(given | {"context": ""}) + "\n")
    plain = rows(opened(Gold, form="mozi"), "train")
    task = opened(Gold, form="mozi", dolly=str(path))
    learned = rows(task, "train")
    assert len(learned) == len(plain) + 2
    assert learned[-2].inputs == {"evidence": "Ada wrote it.", "question": "Who wrote it?"}
    (pair,) = task.training_rows(learned[-2], task.prompt(learned[-2]))
    assert pair.target == "Ada" and pair.prompt == "Ada wrote it.\n\nQuestion: Who wrote it?\nAnswer:"
    assert [row.id for row in rows(task)] == [row.id for row in rows(opened(Gold, form="mozi"))]
    path.write_text('{"instruction": "x"}\n')
    with pytest.raises(DataError, match=r"dolly-15k\.jsonl line 1 is no instruction of Dolly"):
        rows(task, "train")


def test_an_unknown_form_is_refused(opened):
    with pytest.raises(UsageError, match=r"task\.form is 'mozzi'") as error:
        rows(opened(Gold, form="mozzi"))
    assert error.value.hint == "did you mean mozi?"


PAPER: dict[str, Any] = {
    "title": "T",
    "abstract": "A",
    "full_text": [{"section_name": "Data", "paragraphs": ["One text.", "", "Two. "]}],
    "figures_and_tables": [{"caption": "Table 1", "file": "x.png"}],
    "qas": [
        {
            "question": "Why?",
            "question_id": "q",
            "answers": [
                {
                    "answer": {
                        "unanswerable": False,
                        "extractive_spans": ["One"],
                        "free_form_answer": "",
                        "yes_no": None,
                        "evidence": ["Two.", "FLOAT SELECTED: Table 1", "Data"],
                        "highlighted_evidence": [],
                    },
                    "worker_id": "w",
                }
            ],
        }
    ],
}


@pytest.mark.parametrize("name", ["qasper-test-v0.3.json", "qasper-test-v0.3.json.gz", "smrc_test.jsonl"])
def test_every_published_shape_is_read(opened, tmp_path, name):
    path = tmp_path / name
    text = json.dumps(PAPER if name.endswith("jsonl") else {"1.2": PAPER})
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    (row,) = rows(opened(Gold, tmp_path))
    assert row.references == ("One",)
    assert row.annotations[0].evidence == ("p2", "f0", "Data")
    assert row.meta["shown"] == ("p2", "f0")


def test_the_tables_of_the_hub_are_read(opened, tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    asked = PAPER["qas"][0]

    def columns(objects):
        return {key: [one[key] for one in objects] for key in objects[0]}

    record = {
        "id": "1.2",
        "title": "T",
        "abstract": "A",
        "full_text": columns(PAPER["full_text"]),
        "figures_and_tables": columns(PAPER["figures_and_tables"]),
        "qas": columns([{**asked, "answers": columns(asked["answers"])}]),
    }
    parquet.write_table(pa.Table.from_pylist([record]), tmp_path / "test-00000-of-00001.parquet")
    (row,) = rows(opened(Gold, tmp_path))
    assert row.references == ("One",) and row.meta["shown"] == ("p2", "f0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON that can be read"),
        ("[" * 100_000, "no JSON that can be read"),
        ('{"a": 1}', "paper a is a int"),
        ('{"a": {"title": "x"}}', "paper a is not in QASPER's form"),
        (json.dumps({"a": {**PAPER, "qas": [{"question": "?", "answers": [{}]}]}}), "KeyError 'answer'"),
    ],
)
def test_a_bad_file_is_named_with_its_paper(opened, tmp_path, text, message):
    (tmp_path / "qasper-test-v0.3.json").write_text(text)
    with pytest.raises(DataError, match=message):
        rows(opened(Gold, tmp_path))


def test_a_split_without_a_file_is_said(opened, tmp_path):
    (tmp_path / "qasper-test-v0.3.json").write_text(json.dumps({"1": PAPER}))
    with pytest.raises(DataError, match="no file of split 'train'"):
        rows(opened(Gold, tmp_path), "train")
