"""`data`: needs, checks, overlaps and rows, as a user types them."""

import json

import pytest

HEADER = "CID\tSMILES\tdescription\n"
ROWS = "".join(f"{i}\t{'C' * i}O\tThe molecule is alcohol number {i}.\n" for i in range(1, 6))


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "validation", "test"):
        (tmp_path / f"{split}.txt").write_text(HEADER + ROWS, encoding="utf-8")
    return tmp_path


def test_what_a_task_needs_and_where_to_get_it(main):
    done = main("data", "--task", "chebi20")
    assert done.code == 0
    assert "train.txt, validation.txt, test.txt" in done.out
    assert "https://github.com/blender-nlp/MolT5" in done.out


def test_what_tasks_need_is_also_json(main):
    (task,) = json.loads(main("data", "--task", "chebi20", "--json").out)
    assert task["task"] == "chebi20" and "train.txt, validation.txt, test.txt" in task["files"]
    everything = json.loads(main("data", "--json").out)
    assert {"toys", "chebi20"} <= {one["task"] for one in everything}


def test_a_check_of_what_a_run_would_refuse_gives_the_same_hint(main, tmp_path):
    (tmp_path / "mine.csv").write_text("id,word\n1,x\n")
    checked = main("data", "check", tmp_path / "mine.csv", "--task", "chebi20/text2smiles")
    ran = main("--model", "baseline/random", "--task", "chebi20/text2smiles", "--data", tmp_path / "mine.csv")
    assert checked.code == ran.code == 4
    hints = [line for line in ran.err.splitlines() if line.startswith("hint: ")]
    assert hints and hints[0] in checked.err
    assert "mine.csv:1: expected a header" in checked.out and checked.out.count("mine.csv") == 1


def test_a_file_where_a_folder_is_wanted_is_said_by_check_and_run(main, tmp_path):
    (tmp_path / "mine.csv").write_text("id,word\n1,x\n")
    said = f"{tmp_path / 'mine.csv'} is a file, expected a folder with train.csv"
    assert said in main("data", "check", tmp_path / "mine.csv", "--task", "toy").out
    assert said in main("--model", "toy", "--task", "toy", "--data", tmp_path / "mine.csv").err


def test_choices_are_shown_with_their_letters(main):
    out = main("data", "show", "--task", "toy-choice", "--rows", 1).out
    assert [line.split()[:2] for line in out.splitlines()[2:6]] == [["choice", x] for x in "ABCD"]


def test_without_a_task_every_group_is_listed_once(main):
    out = main("data").out
    assert out.count("language-plus-molecules/LPM-24_train:") == 1


def test_a_good_folder_checks_with_rows_and_forms(main, folder):
    done = main("data", "check", folder, "--task", "chebi20")
    assert done.code == 0, done.err
    assert "TSV with header (CID, SMILES, description)" in done.out
    assert "nothing wrong" not in done.out  # these are not the published files of that name
    assert json.loads(main("data", "check", folder, "--task", "chebi20", "--json").out)["rows"] == {
        "train": 5,
        "validation": 5,
        "test": 5,
    }


def test_bad_rows_end_in_exit_code_4_and_name_their_line(main, folder):
    with (folder / "test.txt").open("a") as stream:
        stream.write("9\tC(C\tA molecule.\n")
    done = main("data", "check", folder, "--task", "lpm24")
    assert done.code == 4
    assert "test.txt:7: expected a SMILES, found 'C(C'" in done.out
    assert "error:" in done.err
    assert "Traceback" not in done.err
    assert main("data", "check", folder, "--task", "lpm24", "--skip-bad-rows").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "nowhere", "--task", "lpm24"), "there is no data at nowhere"),
        (("check", "nowhere", "--task", "lpm42"), "no task named 'lpm42'"),
        (("overlap", "nowhere", "nowhere"), "there is no data at nowhere"),
        (("overlap", "a", "b", "--list", "smile"), "no kind of overlap named 'smile'"),
        (("show", "--task", "lpm24", "--rows", "0"), "--rows must be at least 1"),
        (("show", "--task", "lpm24", "--split", "tset"), "no split 'tset'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(main, arguments, message):
    done = main("data", *arguments)
    assert done.code in (2, 4)
    assert message in done.err
    assert "Traceback" not in done.err


def test_overlap_counts_each_kind(main, folder):
    (folder / "held.tsv").write_text(HEADER + "1\tOC\tMethanol, it is.\n77\tCCN\tAn amine.\n")
    done = main("data", "overlap", folder, folder / "held.tsv", "--json")
    found = json.loads(done.out)
    assert (found["rows"], found["train_rows"], found["clean"]) == (2, 5, 1)
    assert {kind: len(ids) for kind, ids in found["ids"].items() if ids} == {
        "inchikey": 1,
        "connectivity": 1,
        "cid": 1,
    }
    assert "test-000000" in main("data", "overlap", folder, folder / "held.tsv", "--list", "cid").out


def test_rows_are_shown_with_their_prompts(main):
    rows = json.loads(main("data", "show", "--task", "lpm24", "--rows", 2, "--json").out)
    assert [row["task"] for row in rows] == ["lpm24/text2smiles"] * 2 + ["lpm24/smiles2text"] * 2
    assert rows[0]["inputs"]["caption"] in rows[0]["prompt"]


def test_a_run_on_a_folder_leaves_bad_rows_out_only_when_asked(main, folder):
    with (folder / "test.txt").open("a") as stream:
        stream.write("9\tC(C\tA molecule.\n")
    command = ("--model", "baseline/random", "--task", "chebi20/text2smiles", "--data", folder)
    options = ("--metrics", "letter-accuracy", "--output", folder / "runs")
    done = main(*command, *options)
    assert done.code == 4
    assert "test.txt:7" in done.err
    done = main(*command, *options, "--skip-bad-rows")
    assert done.code == 0, done.err
    assert "5 rows" in done.out
    assert "left out 1 bad rows, lines 7 (the first: expected a SMILES, found 'C(C')" in done.out


def test_rows_are_drawn_when_asked(main, tmp_path):
    done = main("data", "show", "--task", "lpm24", "--rows", 1, "--pictures", tmp_path / "drawn")
    assert done.code == 0, done.err
    names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert names == ["lpm24-smiles2text-test-00000.svg", "lpm24-text2smiles-test-00000.svg"]
    done = main("data", "show", "--task", "lpm24", "--pictures", "/proc/nowhere")
    assert done.code == 4
    assert "cannot be written" in done.err
