"""Every form that molecule-caption pairs are published in."""

import gzip
import json
from pathlib import Path

import pytest

from harness import DataError
from harness.chem.pair_file import open_pairs
from harness.chem.property_sets import read_combinations, read_property_sets
from harness.chem.published import read, splits

ETHANOL = ("CCO", "The molecule is an alcohol. It is a solvent.")
ALKENE = ("C/C=C\\C", "The molecule is an alkene.")
PAIRS = [ETHANOL, ALKENE, ("c1ccccc1O", "The molecule is a phenol with an odd smell.")]


def pairs(path, split="test"):
    return [(row.smiles, row.caption) for row in read(path, split)]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def tsv(header, rows):
    return "\n".join("\t".join(row) for row in [header, *rows]) + "\n"


def test_molt5_table_with_cids(tmp_path):
    rows = [(str(i), *pair) for i, pair in enumerate(PAIRS, 10)]
    path = write(tmp_path / "test.txt", tsv(("CID", "SMILES", "description"), rows))
    assert pairs(path) == PAIRS
    assert next(row.meta for row in read(path, "test")) == {"line": 2, "cid": "10"}


def test_columns_are_found_by_name_in_any_order(tmp_path):
    rows = [(caption, "x", smiles) for smiles, caption in PAIRS]
    assert pairs(write(tmp_path / "test.tsv", tsv(("caption", "note", "molecule"), rows))) == PAIRS


def test_doubled_backslashes_are_repaired_and_the_repair_is_said(tmp_path):
    text = tsv(("CID", "SMILES", "description"), [("1", "C/C=C\\\\C", ALKENE[1])])
    notes: list[str] = []
    rows = list(read(write(tmp_path / "test.txt", text), "test", notes=notes))
    assert [row.smiles for row in rows] == ["C/C=C\\C"]
    assert notes == ["test.txt: 1 × doubled backslash (read as single)"]


@pytest.mark.parametrize("side", ["SMILES", "description"])
def test_prediction_files_hold_pairs_too(tmp_path, side):
    rows = [(s, c, "output") if side == "SMILES" else (c, s, "output") for s, c in PAIRS]
    assert pairs(write(tmp_path / "test.txt", tsv((side, "ground truth", "output"), rows))) == PAIRS


def test_a_table_without_header_is_read_by_its_content(tmp_path):
    rows = [(*pair, "0") for pair in PAIRS]
    assert pairs(write(tmp_path / "eval.txt", tsv(rows[0], rows[1:]))) == PAIRS
    swapped = [(caption, smiles) for smiles, caption in PAIRS]
    assert pairs(write(tmp_path / "eval.txt", tsv(swapped[0], swapped[1:]))) == PAIRS


def test_csv_with_quotes_and_line_breaks(tmp_path):
    text = 'molecule,caption\nCCO,"An alcohol, ""the"" one.\nIt burns."\n'
    assert pairs(write(tmp_path / "test.csv", text)) == [("CCO", 'An alcohol, "the" one.\nIt burns.')]


@pytest.mark.parametrize("keys", [("smiles", "description"), ("molecule", "caption")])
@pytest.mark.parametrize("shape", ["array", "lines", "indented", "gzip"])
def test_json_objects(tmp_path, keys, shape):
    rows = [dict(zip(keys, pair, strict=True)) for pair in PAIRS]
    text = "\n".join(map(json.dumps, rows)) if shape == "lines" else json.dumps(rows, indent=4)
    if shape == "array":
        text = json.dumps(rows)
    path = tmp_path / ("test.json.gz" if shape == "gzip" else "test.json")
    path.write_bytes(gzip.compress(text.encode()) if shape == "gzip" else text.encode())
    assert pairs(path) == PAIRS


@pytest.mark.parametrize("key", ["conversation", "conversations"])
@pytest.mark.parametrize("direction", ["text2smiles", "smiles2text"])
@pytest.mark.parametrize("prompt", ["Please generate the formula of:\\n{}", "Please do as told.\n{}"])
def test_conversations_lose_their_shared_prompt(tmp_path, key, direction, prompt):
    rows = []
    for index, (smiles, caption) in enumerate(PAIRS):
        asked, answer = (caption, smiles) if direction == "text2smiles" else (smiles, caption)
        turns = [{"from": "human", "value": prompt.format(asked)}, {"from": "gpt", "value": answer}]
        rows.append({"id": str(index), key: turns})
    assert pairs(write(tmp_path / "test.json", json.dumps(rows))) == PAIRS


def test_a_molecule_inside_a_question_is_found_between_the_shared_words(tmp_path):
    rows = [{"question": f"What is {smiles} good for?", "answer": caption} for smiles, caption in PAIRS]
    assert pairs(write(tmp_path / "test.json", json.dumps(rows))) == PAIRS


def test_a_prompt_that_runs_into_the_caption_is_refused(tmp_path):
    rows = [{"question": f"Draw {caption}", "answer": smiles} for smiles, caption in PAIRS]
    with pytest.raises(DataError, match="cannot tell the prompt from the caption"):
        pairs(write(tmp_path / "test.json", json.dumps(rows)))


def test_scimind_tokens_are_unwrapped(tmp_path):
    rows = [
        {"smiles": "".join(f"{{|{char}|}}" for char in smiles), "description": caption}
        for smiles, caption in PAIRS
    ]
    assert pairs(write(tmp_path / "test.json", json.dumps(rows))) == PAIRS


def test_mol_instructions_are_decoded_and_split_by_their_metadata(tmp_path):
    rows = [
        {
            "instruction": "Describe this molecule.",
            "input": "[C][C][O]",
            "output": ETHANOL[1],
            "metadata": {"task": "molecular description generation", "split": split},
        }
        for split in ("train", "train", "test")
    ]
    path = write(tmp_path / "molecular_description_generation.json", json.dumps(rows))
    assert splits(path) == ("train", "test")
    assert pairs(path, "train") == [ETHANOL, ETHANOL]
    assert pairs(path, "test") == [ETHANOL]


def test_parquet_as_the_hub_serves_it(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    (tmp_path / "data").mkdir()
    for shard in range(2):
        smiles, captions = zip(*PAIRS[shard::2], strict=True)
        table = pyarrow.table({"molecule": smiles, "caption": captions})
        parquet.write_table(table, tmp_path / "data" / f"train-0000{shard}-of-00002.parquet")
    assert pairs(tmp_path, "train") == [PAIRS[0], PAIRS[2], PAIRS[1]]


def test_aligned_line_files_make_pairs(tmp_path):
    write(tmp_path / "test.smiles", "".join(f"{smiles}\n" for smiles, _ in PAIRS))
    write(tmp_path / "test.captions.txt", "".join(f"{caption}\n" for _, caption in PAIRS))
    assert pairs(tmp_path) == PAIRS
    with (tmp_path / "test.smiles").open("a") as stream:
        stream.write("CC\n")
    with pytest.raises(DataError, match=r"test\.smiles:4: expected as many lines as test\.captions\.txt"):
        pairs(tmp_path)


def test_one_half_alone_says_what_is_missing(tmp_path):
    path = write(tmp_path / "eval-text.txt", "CCO\nCC\n")
    assert open_pairs(path).form == "one SMILES a line"
    with pytest.raises(DataError, match="holds one SMILES a line") as error:
        pairs(path)
    assert "other half" in error.value.hint


def test_pcdes_questions_are_paired_with_the_right_sentence(tmp_path):
    block = "【{}】\nPubChem ID: 702\n\nSMILES: CCO\n\nA. It burns\nB. It is a metal\nC. It sinks\nD. No\n\n"
    path = write(tmp_path / "PCdes_for_human0725.txt", block.format(0) + block.format(1))
    write(tmp_path / "PCdes_human_ans0725.txt", "A\nC\n")
    assert pairs(path) == [("CCO", "It burns"), ("CCO", "It sinks")]


def test_property_sets_and_combinations(tmp_path):
    sets = write(tmp_path / "train_props.txt", "CCO\t{'solvent', \"parkinson's treatment\"}\n")
    assert list(read_property_sets(sets)) == [("CCO", frozenset({"solvent", "parkinson's treatment"}))]
    assert open_pairs(sets).form.startswith("property sets")
    combos = write(tmp_path / "withheld_combos.txt", "('pepper', 'spice')\t1\n('a', 'b')\t5\n")
    assert list(read_combinations(combos)) == [(("pepper", "spice"), 1), (("a", "b"), 5)]
    assert open_pairs(combos).form.startswith("held-out")


def test_a_file_stands_for_its_family(tmp_path):
    for name in ("train", "valid", "test"):
        write(tmp_path / f"LPM_{name}_qa.json", json.dumps([{"smiles": "CCO", "caption": f"a {name} row."}]))
        write(tmp_path / f"LPM_{name}.json", json.dumps([{"smiles": "CCO", "caption": "another row."}]))
    with pytest.raises(DataError, match="several files for split 'train'") as error:
        pairs(tmp_path, "train")
    assert "--data FOLDER/FILE" in error.value.hint
    assert pairs(tmp_path / "LPM_test_qa.json", "validation") == [("CCO", "a valid row.")]
    assert splits(tmp_path / "LPM_test_qa.json") == ("train", "validation", "test")


def test_an_empty_folder_says_what_was_expected(tmp_path):
    with pytest.raises(DataError) as error:
        splits(tmp_path)
    assert "train.tsv" in error.value.hint
