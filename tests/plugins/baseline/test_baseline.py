"""The baselines learn, save, load and answer as they say."""

import json
from pathlib import Path

import pytest

from harness import (
    Checkpoint,
    DataError,
    GenerateSpec,
    Passage,
    Request,
    RunContext,
    RunSpec,
    TrainData,
    TrainPair,
    TrainSpec,
    UsageError,
)
from harness.plugins.baseline.model import FirstPassage, Frequent, Nearest, Random

COLOURS = [
    TrainPair("What colour is grass?", "green", {"question": "What colour is grass?"}),
    TrainPair("What colour is snow?", "white", {"question": "What colour is snow?"}),
    TrainPair("What colour is milk?", "white", {"question": "What colour is milk?"}),
]
MOLECULES = [
    TrainPair("CCO", "an alcohol", {"smiles": "CCO"}),
    TrainPair("c1ccccc1", "a ring", {"smiles": "c1ccccc1"}),
    TrainPair("CC(=O)O", "an acid", {"smiles": "CC(=O)O"}),
]


def context(folder: Path) -> RunContext:
    return RunContext(folder, RunSpec("baseline", "task"))


def answers(kind, pairs, requests, folder, seed=0):
    model, run = kind(), context(folder)
    checkpoint = model.train(TrainData(pairs), TrainSpec(), run)
    done = model.open(Checkpoint(checkpoint.path), run).generate(requests, GenerateSpec(seed=seed), run)
    return {completion.request_id: completion.text for completion in done}


def ask(text, **inputs):
    return Request("q", text, inputs or {"question": text})


def test_frequent_says_the_most_frequent_answer(tmp_path):
    assert answers(Frequent, COLOURS, [ask("What colour is grass?")], tmp_path) == {"q": "white"}


def test_frequent_says_the_most_typical_answer_where_all_differ(tmp_path):
    pairs = [TrainPair(t, t) for t in ("aaaa bbbb", "aaaa bbbb cccc", "xyzw")]
    assert answers(Frequent, pairs, [ask("?")], tmp_path)["q"] != "xyzw"


def test_nearest_answers_by_words(tmp_path):
    assert answers(Nearest, COLOURS, [ask("Is grass a colour?")], tmp_path) == {"q": "green"}


def test_nearest_answers_by_structure_where_the_input_is_a_smiles(tmp_path):
    assert answers(Nearest, MOLECULES, [ask("x", smiles="OC(=O)CC")], tmp_path) == {"q": "an acid"}
    assert answers(Nearest, MOLECULES, [ask("x", smiles="Cc1ccccc1")], tmp_path) == {"q": "a ring"}


@pytest.mark.parametrize(
    ("name", "known", "asked"),
    [
        ("protein", ["MAAAAKDELAA", "MLLLLHEXXHLL"], "SSSSKDEL"),
        ("dna", ["GGGTATAAAAC", "CCCATTCACGT"], "TATAAAAG"),
    ],
)
def test_nearest_answers_a_sequence_by_the_pieces_it_shares(tmp_path, name, known, asked):
    pairs = [TrainPair("?", answer, {name: text}) for text, answer in zip(known, ("a", "b"), strict=True)]
    for order in (pairs, pairs[::-1]):
        assert answers(Nearest, order, [ask("x", **{name: asked})], tmp_path) == {"q": "a"}


def test_nearest_answers_a_sequence_too_short_for_pieces(tmp_path):
    pairs = [TrainPair("?", "a", {"dna": "ACGTACGT"}), TrainPair("?", "b", {"dna": "ACG"})]
    assert answers(Nearest, pairs, [ask("x", dna="ACG")], tmp_path) == {"q": "b"}


def test_nearest_answers_a_molecule_it_cannot_read(tmp_path):
    assert answers(Nearest, MOLECULES, [ask("x", smiles="C(C")], tmp_path)["q"] in {
        pair.target for pair in MOLECULES
    }


def test_random_depends_on_seed_and_request_only(tmp_path):
    requests = [Request(str(i), "?") for i in range(40)]
    forward = answers(Random, COLOURS, requests, tmp_path)
    assert answers(Random, COLOURS, requests[::-1], tmp_path) == forward
    assert answers(Random, COLOURS, requests, tmp_path, seed=1) != forward
    assert set(forward.values()) == {"green", "white"}


def test_choices_are_taken_by_shared_words(tmp_path):
    request = Request("q", "What colour is snow?", {"question": "What colour is snow?"}, ("red", "white"))
    run, model = context(tmp_path), Nearest()
    checkpoint = model.train(TrainData(COLOURS), TrainSpec(), run)
    (completion,) = model.open(checkpoint, run).choose([request], GenerateSpec(), run)
    assert (completion.text, completion.choice_scores) == ("white", (0.0, 1.0))


def test_no_pairs_no_baseline(tmp_path):
    with pytest.raises(DataError, match="has none"):
        Frequent().train(TrainData([]), TrainSpec(), context(tmp_path))


def test_answering_without_a_checkpoint_is_refused(tmp_path, ask_all):
    with pytest.raises(UsageError, match="needs a checkpoint"):
        ask_all(Random(), None, [ask("?")], GenerateSpec(), context(tmp_path))


def test_the_checkpoint_of_another_baseline_is_refused(tmp_path, ask_all):
    checkpoint = Random().train(TrainData(COLOURS), TrainSpec(), context(tmp_path))
    with pytest.raises(DataError, match="was written by baseline/random"):
        list(ask_all(Nearest(), checkpoint, [ask("?")], GenerateSpec(), context(tmp_path)))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"not json", b"\xff\xfe", b'{"baseline": "baseline/nearest"}\n[1]']
)
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, content, ask_all):
    (tmp_path / "remembered.jsonl").write_bytes(content)
    with pytest.raises(DataError):
        list(ask_all(Nearest(), Checkpoint(tmp_path), [ask("?")], GenerateSpec(), context(tmp_path)))


def test_a_group_of_tasks_runs_from_its_sample(run_bench, tmp_path):
    done = run_bench(
        "--model",
        "baseline/nearest",
        "--task",
        "lpm24",
        "--metrics",
        "letter-accuracy",
        "--output",
        tmp_path,
        "--json",
    )
    assert done.code == 0, done.err
    records = list(tmp_path.rglob("record.json"))
    assert len(records) == 2
    assert all(json.loads(path.read_text())["sample"] for path in records)


def test_the_first_passage_is_said_and_nothing_where_none_is_shown(tmp_path):
    run = context(tmp_path)
    shown = Request("a", "?", passages=(Passage("p1", "One."), Passage("p2", "Two.")))
    with FirstPassage().open(None, run) as session:
        said = session.generate([shown, Request("b", "?")], GenerateSpec(), run)
        assert [completion.text for completion in said] == ["One.", ""]
