"""The sets beside lpm24 and chebi20 read their published files, and have no built-in sample."""

import json

import pytest

from harness import DataSpec, UsageError
from harness.chem.published import read
from harness.tasks.molecule_captions import SETS
from harness.tasks.molecule_captions.task import (
    CaptionsSmilesToText,
    PcdesSmilesToText,
    PcdesTextToSmiles,
    PseudoMd1MSmilesToText,
)


@pytest.mark.parametrize("name", SETS)
def test_each_set_is_a_group_of_two_directions(load, name):
    registry = load()
    members = registry.expand(name)
    assert [m.entry.name for m in members] == [f"{name}/text2smiles", f"{name}/smiles2text"]
    for member in members:
        task = member.load()(DataSpec(source="/"))
        assert task.synthetic == ()
        assert task.files
        assert task.licence


def test_without_files_a_set_says_what_it_needs(run_bench):
    done = run_bench("--model", "baseline/random", "--task", "pcdes", "--metrics", "letter-accuracy")
    assert done.code == 2
    assert "has no data source 'sample'" in done.err


def test_asking_for_the_sample_in_code_says_so_too():
    with pytest.raises(UsageError, match="has no built-in sample"):
        list(PcdesTextToSmiles().examples("test"))


def test_both_directions_of_pcdes_read_ada_t5_files(test_data):
    source = DataSpec(source=str(test_data / "artificially_r2r/finetune/data/PCdes"))
    assert PcdesTextToSmiles(source).splits() == ("train", "validation", "test")
    for split in ("train", "validation", "test"):
        forward, backward = (
            list(kind(source).examples(split)) for kind in (PcdesTextToSmiles, PcdesSmilesToText)
        )
        assert len(forward) == len(backward) == 5
        assert [e.inputs["caption"] for e in forward] == [e.references[0] for e in backward]


def test_a_large_array_is_streamed(tmp_path):
    path = tmp_path / "train.json"
    with path.open("w") as stream:
        stream.write("[")
        for index in range(20_000):
            row = {"smiles": "C" * (index % 40 + 1), "description": f"It is molecule {index}. " * 8}
            stream.write(("," if index else "") + json.dumps(row))
        stream.write("]")
    rows = read(path, "train")
    assert [next(rows).caption[:16] for _ in range(3)] == [f"It is molecule {i}"[:16] for i in range(3)]
    assert sum(1 for _ in rows) == 19_997


def test_every_metric_that_a_molecule_task_names_is_on_the_shelf(load):
    registry = load()
    known = set(registry.metrics.names())
    for group in ("lpm24", "chebi20", *SETS):
        for member in registry.expand(group):
            for source in ("sample", "/"):
                assert set(member.load()(DataSpec(source=source)).metrics) <= known


def test_a_million_rows_are_known_by_their_files_and_streamed(tmp_path):
    file = tmp_path / "train.json"
    file.write_text(json.dumps([{"smiles": "CCO", "description": "It is an alcohol."}]))
    known = PseudoMd1MSmilesToText(DataSpec(str(tmp_path))).fingerprint("train")
    assert known and known == PseudoMd1MSmilesToText(DataSpec(str(tmp_path))).fingerprint("train")
    assert not PseudoMd1MSmilesToText(DataSpec(str(tmp_path))).fingerprint("test")
    file.write_text(json.dumps([{"smiles": "CCN", "description": "It is an amine."}]))
    assert known != PseudoMd1MSmilesToText(DataSpec(str(tmp_path))).fingerprint("train")


@pytest.mark.parametrize("form", ["csv", "tsv", "json"])
def test_columns_of_other_names_are_named(form, tmp_path):
    rows = [{"structure": "CCO", "what it is": "The molecule is an alcohol."}]
    path = tmp_path / f"test.{form}"
    mark = {"csv": ",", "tsv": "\t"}.get(form, "")
    lines = [mark.join(rows[0]), mark.join(rows[0].values())]
    path.write_text(json.dumps(rows) if form == "json" else "\n".join(lines) + "\n")
    named = ("smiles=structure", "caption=what it is")
    task = CaptionsSmilesToText(DataSpec(source=str(tmp_path), columns=named))
    (found,) = task.examples("test")
    assert (found.inputs["smiles"], found.references) == ("CCO", ("The molecule is an alcohol.",))
    assert task.check().rows == {"test": 1}
    with pytest.raises(UsageError, match="there is no column 'struct'") as refused:
        list(
            CaptionsSmilesToText(DataSpec(source=str(tmp_path), columns=("smiles=struct",))).examples("test")
        )
    assert "structure" in refused.value.hint
