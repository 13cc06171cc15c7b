"""The published files load and check with the rows that their manifest counts."""

import zipfile

import pytest

from harness import DataSpec
from harness.chem.pair_file import open_pairs
from harness.chem.property_sets import read_combinations, read_property_sets
from harness.chem.published import check, read
from harness.tasks.chebi20.task import TextToSmiles

ADA_T5 = {
    "finetune/data/ChEBI-20": {"train": 5, "validation": 5, "test": 5},
    "finetune/data/PCdes": {"train": 5, "validation": 5, "test": 5},
    "finetune/data/DrugBank-23": {"train": 6, "validation": 5, "test": 5},
    "pretrain/data": {"train": 6},
}
FILES = {
    "chebi20/test.txt": 3300,
    "chebi20/validation.txt": 3301,
    "chebi20/molt5_predictions/molt5-small-caption2smiles.txt": 3300,
    "chebi20/molt5_predictions/molt5-small-smiles2caption.txt": 3300,
    "chebi20/molt5_predictions/t5-v1_1-base-caption2smiles.txt": 3300,
    "chebi20/molt5_predictions/t5-v1_1-base-smiles2caption.txt": 3300,
    "derived/caption_pairs_no_chebi20_valtest.tsv": 6793,
    "lpm24/evaluation/caption2smiles_example.txt": 200,
    "lpm24/evaluation/smiles2caption_example.txt": 199,
    "pcdes/PCdes_for_human0725.txt": 2000 // 10,  # a question takes ten lines
}


@pytest.mark.parametrize("name", FILES)
def test_pairs_load_whole(test_data, name):
    assert sum(1 for _ in read([test_data / name], "test")) == FILES[name]


@pytest.mark.parametrize("folder", ADA_T5)
def test_ada_t5_samples_load_and_check(test_data, folder):
    source = test_data / "artificially_r2r" / folder
    report = check(source)
    assert dict(report.rows) == ADA_T5[folder]
    assert not [finding for finding in report.findings if finding.bad]


def test_chebi20_checks_and_says_what_it_repairs(test_data):
    report = TextToSmiles(DataSpec(source=str(test_data / "chebi20"))).check()
    assert dict(report.rows) == {"validation": 3301, "test": 3300}
    assert dict(report.counts) == {"doubled backslash": 502 + 484}
    notes: list[str] = []
    list(read(test_data / "chebi20", "test", notes=notes))
    assert notes[0] == "test.txt: 484 × doubled backslash (read as single)"


def test_a_changed_file_under_a_published_name_is_noticed(test_data, tmp_path):
    lines = (test_data / "chebi20/test.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "test.txt").write_text("".join(lines[:3000]), encoding="utf-8")
    report = TextToSmiles(DataSpec(source=str(tmp_path))).check()
    (finding,) = [finding for finding in report.findings if finding.kind == "digest"]
    assert "3,300 rows" in finding.expected
    assert "2,999 good rows" in finding.found


@pytest.mark.parametrize(
    ("name", "form", "rows"),
    [
        ("lpm24/scimind/eval-text.txt", "one SMILES a line", 21942),
        ("pcdes/PCdes_reference.txt", "PCdes captions (CID and caption in turn)", 2856 // 2),
        ("lpm24/final_evaluation/captioning/withheld_combos.txt", "held-out property combinations", 18093),
    ],
)
def test_files_without_pairs_are_recognised(test_data, name, form, rows):
    file = open_pairs(test_data / name)
    assert (file.form, sum(1 for row in file.rows() if row.fault is None)) == (form, rows)


def test_property_sets_and_held_out_combinations_of_lpm24(test_data, tmp_path):
    with zipfile.ZipFile(test_data / "lpm24/additional_data.zip") as archive:
        archive.extract("train_withheld_combos.txt", tmp_path)
        with archive.open("train_props.txt") as stream:
            (tmp_path / "train_props.txt").write_bytes(b"".join(stream.readline() for _ in range(500)))
    assert sum(1 for _ in read_combinations(tmp_path / "train_withheld_combos.txt")) == 1281
    sets = list(read_property_sets(tmp_path / "train_props.txt"))
    assert len(sets) == 500
    assert "Barth syndrome" in sets[0][1]
