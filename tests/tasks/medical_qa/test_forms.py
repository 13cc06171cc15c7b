"""Every published form gives the same question: its text, its options in order and the right letters."""

import gzip
import json
from fnmatch import fnmatch

import pytest

from harness import DataSpec
from harness.tasks.medical_qa import sets, task

OPTIONS = ["Aspirin", "Clopidogrel", "Heparin", "Warfarin"]
LETTERED = dict(zip("ABCD", OPTIONS, strict=True))
ROWS: dict[str, dict[str, object]] = {
    "MedQA": {
        "question": "?",
        "answer": "Heparin",
        "options": LETTERED,
        "meta_info": "step1",
        "answer_idx": "C",
    },
    "MedQA of the hub": {
        "question": "?",
        "answer": "Heparin",
        "answer_idx": "C",
        "options": [{"key": key, "value": value} for key, value in LETTERED.items()],
    },
    "MedMCQA": {**dict(zip(("opa", "opb", "opc", "opd"), OPTIONS, strict=True)), "question": "?", "cop": 2},
    "MMLU of the hub": {"question": "?", "subject": "anatomy", "choices": OPTIONS, "answer": 2},
    "CMB": {"question": "?", "option": LETTERED, "answer": "C", "question_type": "单项选择题"},
    "CMExam": {"Question": "?", "Options": "A Aspirin\nB Clopidogrel\nC Heparin\nD Warfarin", "Answer": "C"},
    "CMExam of the hub": {
        "Question": "?",
        "Options": [{"key": key, "value": value} for key, value in LETTERED.items()],
        "Answer": "C",
    },
    "CMMLU": {"Question": "?", **LETTERED, "Answer": "C"},
    "Apollo": {
        "question": "?",
        "options": "(A) Aspirin.\n(B) Clopidogrel.\n(C) Heparin.\n(D) Warfarin.",
        "answer": "(C)",
        "source": "medqa-usmle",
    },
    "MIRAGE": {"dataset": "medqa", "id": "0", "question": "?", "options": LETTERED, "answer": "C"},
    "text of the option": {"question": "?", "options": OPTIONS, "answer": "heparin"},
    "letters of full width": {"question": "?", "options": LETTERED, "answer": "Ｃ"},
}


def write(folder, rows, name="test.jsonl"):
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def examples(kind, source, split="test", **options):
    made = kind(DataSpec(source=str(source)), kind.Options(**options))
    return list(made.examples(split)), made


@pytest.mark.parametrize("form", ROWS)
def test_a_form_is_read(tmp_path, form):
    (example,), _ = examples(task.Choice, write(tmp_path / "d", [ROWS[form]]))
    assert example.inputs["question"] == "?"
    assert example.choices == tuple(OPTIONS)
    assert example.references == ("Heparin",)


def test_medmcqa_counts_from_one_in_its_files_and_from_nought_on_the_hub(tmp_path):
    row = ROWS["MedMCQA"]
    from_one = [{**row, "question": f"{cop}?", "cop": cop} for cop in (1, 2, 3, 4)]
    found, _ = examples(sets.MedMcqa, write(tmp_path / "one", from_one))
    assert [e.references[0] for e in found] == OPTIONS
    from_nought = [{**row, "question": f"{cop}?", "cop": cop} for cop in (0, 1, 2, 3)]
    found, _ = examples(sets.MedMcqa, write(tmp_path / "nought", from_nought))
    assert [e.references[0] for e in found] == OPTIONS


def test_tables_without_a_header_are_mmlu_and_say_their_subject_by_name(tmp_path):
    folder = tmp_path / "test"
    folder.mkdir()
    (folder / "anatomy_test.csv").write_text('"Which, of these?",Aspirin,Clopidogrel,Heparin,Warfarin,C\n')
    (folder / "astronomy_test.csv").write_text("Which star?,a,b,c,d,A\n")
    (example,), _ = examples(sets.MmluMedical, tmp_path)
    assert example.references == ("Heparin",) and example.meta["groups"]["subject"] == "anatomy"


def test_cmmlu_is_read_by_folders_of_splits(tmp_path):
    for split in ("dev", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "anatomy.csv").write_text(
            ",Question,A,B,C,D,Answer\n0,女性生殖腺是,卵巢,前庭,球,乳腺,A\n"
        )
    (example,), made = examples(sets.CmmluMedical, tmp_path)
    assert made.splits() == ("validation", "test")
    assert example.references == ("卵巢",) and example.meta["groups"]["language"] == "zh"


def test_pubmedqa_is_parted_by_its_file_of_labels(tmp_path):
    rows = {
        str(n): {"QUESTION": f"{n}?", "CONTEXTS": ["One.", "Two."], "LABELS": [], "final_decision": "maybe"}
        for n in range(3)
    }
    (tmp_path / "ori_pqal.json").write_text(json.dumps(rows, indent=1))
    (tmp_path / "test_ground_truth.json").write_text(json.dumps({"1": "maybe"}))
    (example,), made = examples(sets.PubMedQa, tmp_path)
    assert example.id == "1" and example.references == ("maybe",)
    assert example.choices == ("yes", "no", "maybe") and example.inputs["context"] == "One. Two."
    assert [e.id for e in made.examples("train")] == ["0", "2"]
    (bare,), _ = examples(sets.PubMedQaUnaided, tmp_path)
    assert "context" not in bare.inputs


def test_bioasq_gives_its_yes_or_no_questions_alone(tmp_path):
    asked = [
        {
            "id": "1",
            "body": "Is it?",
            "type": "yesno",
            "exact_answer": "no",
            "snippets": [{"text": "It is not."}],
        },
        {"id": "2", "body": "Which?", "type": "factoid", "exact_answer": [["x"]]},
    ]
    (tmp_path / "test.json").write_text(json.dumps({"questions": asked}))
    (example,), _ = examples(sets.BioAsq, tmp_path)
    assert (example.id, example.references, example.choices) == ("1", ("no",), ("yes", "no"))
    (shown,), _ = examples(sets.BioAsq, tmp_path, context="true")
    assert shown.inputs["context"] == "It is not."


def test_mirages_one_file_is_read_by_its_sets(tmp_path):
    row = {"question": "?", "options": LETTERED, "answer": "C"}
    whole = {"medqa": {"0": row}, "bioasq": {"1": {**row, "options": {"A": "yes", "B": "no"}, "answer": "A"}}}
    file = tmp_path / "benchmark.json"
    file.write_text(json.dumps(whole))
    (example,), made = examples(sets.BioAsq, file)
    assert example.id == "1" and made.splits() == ("test",)


def test_cmb_finds_its_answers_in_a_file_of_their_own(tmp_path):
    question = {"id": 7, "question": "?", "option": {**LETTERED, "E": ""}, "question_type": "多项选择题"}
    (tmp_path / "CMB-test-choice-question-merge.json").write_text(json.dumps([question]))
    (tmp_path / "CMB-test-choice-answer.json").write_text(json.dumps([{"id": 7, "answer": "AD"}]))
    (example,), _ = examples(sets.Cmb, tmp_path)
    assert example.references == ("Aspirin", "Warfarin") and len(example.choices) == 4


def test_free_answers_are_read_in_their_forms(tmp_path):
    rows = [
        {"questions": [["头痛怎么办"]], "answers": ["休息"]},
        {"instruction": "头痛吃什么", "input": "", "output": "布洛芬"},
        {"问": "发热怎么办", "答": "多喝水"},
        {"input": "找出实体：发热", "target": "症状：发热", "task_dataset": "CMeEE-V2"},
    ]
    found, _ = examples(sets.Huatuo, write(tmp_path / "d", rows))
    assert [(e.inputs["question"], e.references) for e in found] == [
        ("头痛怎么办", ("休息",)),
        ("头痛吃什么", ("布洛芬",)),
        ("发热怎么办", ("多喝水",)),
        ("找出实体：发热", ("症状：发热",)),
    ]


def test_cmedqa_joins_questions_with_all_their_right_answers(tmp_path):
    (tmp_path / "question.csv").write_text("question_id,content\n1,头痛怎么办\n2,发热怎么办\n")
    (tmp_path / "answer.csv").write_text("ans_id,question_id,content\n10,1,休息\n11,1,吃药\n12,2,多喝水\n")
    (tmp_path / "test_candidates.txt").write_text(
        "question_id,ans_id,num,label\n1,10,1,1\n1,12,2,0\n1,11,3,1\n"
    )
    (example,), made = examples(sets.CMedQa, tmp_path)
    assert made.splits() == ("test",)
    assert example.references == ("休息", "吃药")


def test_gzip_and_parquet_are_read(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    table = pyarrow.Table.from_pylist([ROWS["MMLU of the hub"]])
    parquet.write_table(table, tmp_path / "test-00000-of-00001.parquet")
    (example,), _ = examples(sets.MmluMedical, tmp_path)
    assert example.references == ("Heparin",)
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "test.jsonl.gz").write_bytes(gzip.compress(json.dumps(ROWS["MIRAGE"]).encode()))
    assert examples(task.Choice, packed)[0][0].references == ("Heparin",)


@pytest.mark.parametrize(
    ("kind", "source", "split", "count"),
    [
        (sets.MedQaUs, "medqa", "test", 1273),
        (sets.MmluMedical, "mmlu_medical", "test", 1089),
        (sets.PubMedQa, "pubmedqa", "test", 500),
        (sets.CmExam, "apollo_xmedbench", "test", 2000),
        (sets.CmmluMedical, "apollo_xmedbench", "test", 1333),
        (sets.Cmb, "apollo_xmedbench", "test", 2000),
        (sets.BioAsq, "mirage/questions.jsonl.gz", "test", 618),
    ],
)
def test_published_files_have_their_published_sizes(test_data, kind, source, split, count):
    found, _ = examples(kind, test_data / source, split)
    assert len(found) == count == len({example.id for example in found})


@pytest.mark.parametrize(
    ("kind", "split", "path"),
    [
        (sets.MedQaUs, "test", "phrases_no_exclude_test.jsonl"),
        (sets.MedQaUs5, "validation", "med_qa_en_source/validation-00000-of-00001.parquet"),
        (sets.MedQaMainland, "test", "med_qa_zh_4options_source/test-00000-of-00001.parquet"),
        (sets.MedQaMainland5, "train", "med_qa_zh_source/train-00000-of-00001.parquet"),
        (sets.MedMcqa, "test", "data/validation-00000-of-00001.parquet"),
        (sets.PubMedQa, "test", "pubmed_qa_labeled_fold0_source/test/0000.parquet"),
        (sets.Cmb, "test", "CMB-Exam/CMB-test/CMB-test-choice-question-merge.json"),
        (sets.Cmb, "validation", "CMB-Exam/CMB-val/CMB-val-merge.json"),
        (sets.CmExam, "validation", "valid.json"),
        (sets.MmluMedical, "test", "all/test-00000-of-00001.parquet"),
        (sets.Huatuo, "test", "test_datasets.jsonl"),
    ],
)
def test_files_of_the_hub_are_found_by_their_names_there(kind, split, path):
    found = [name for name, files in kind.hub.items() if fnmatch(path, files.pattern)]
    assert found == [split]


def test_mirage_and_the_files_it_came_from_agree(test_data):
    found, _ = examples(sets.MedQaUs, test_data / "medqa")
    again, _ = examples(sets.MedQaUs, test_data / "mirage/questions.jsonl.gz")
    assert [(e.inputs, e.choices, e.references) for e in found] == [
        (e.inputs, e.choices, e.references) for e in again
    ]
