"""The toy model learns, saves, answers and refuses like a real one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import (
    Checkpoint,
    DataError,
    GenerateSpec,
    Request,
    RunContext,
    RunSpec,
    StageError,
    TrainData,
    TrainPair,
    TrainSpec,
    UsageError,
)
from harness.plugins.toy.model import Toy, ToyOptions

PAIRS = [TrainPair("write: abc", "bcd"), TrainPair("write: cab", "dbc")]
REQUESTS = [Request("1", "write: bac"), Request("2", "write: cc"), Request("3", "write: aba")]


def context(folder: Path) -> RunContext:
    return RunContext(folder, RunSpec("toy", "toy"))


def trained(folder: Path) -> Checkpoint:
    return Toy().train(TrainData(PAIRS), TrainSpec(epochs=2), context(folder))


def test_it_writes_the_letters_it_was_taught(tmp_path: Path, ask_all) -> None:
    answers = ask_all(Toy(), trained(tmp_path), REQUESTS, GenerateSpec(), context(tmp_path))
    assert [(a.request_id, a.text, a.finish) for a in answers] == [
        ("1", "cbd", "stop"),
        ("2", "dd", "stop"),
        ("3", "bcb", "stop"),
    ]


def test_the_loss_falls_while_it_learns(tmp_path: Path) -> None:
    losses: list[float] = []
    run = RunContext(
        tmp_path, RunSpec("toy", "toy"), event=lambda kind, **facts: losses.append(facts["loss"])
    )
    Toy().train(TrainData(PAIRS), TrainSpec(max_steps=4, batch_size=2), run)
    assert len(losses) == 4
    assert losses[-1] < losses[0]


def test_more_than_the_token_limit_is_cut_and_marked(tmp_path: Path, ask_all) -> None:
    (answer,) = ask_all(
        Toy(), trained(tmp_path), REQUESTS[:1], GenerateSpec(max_new_tokens=2), context(tmp_path)
    )
    assert (answer.text, answer.finish) == ("cb", "length")


def test_a_sampled_answer_depends_on_the_seed_and_not_on_its_neighbours(tmp_path: Path, ask_all) -> None:
    checkpoint = trained(tmp_path)

    def sample(requests: list[Request], seed: int) -> list[str]:
        spec = GenerateSpec(decoder="sampling", temperature=50.0, seed=seed)
        return [a.text for a in ask_all(Toy(), checkpoint, requests, spec, context(tmp_path))]

    assert sample(REQUESTS, 1)[2] == sample(REQUESTS[2:], 1)[0]
    assert len({tuple(sample(REQUESTS, seed)) for seed in range(5)}) > 1


def test_the_likeliest_choice_wins_and_all_scores_are_reported(tmp_path: Path, chosen) -> None:
    request = Request("1", "write: ab", choices=("bb", "bc", "cb"))
    (answer,) = chosen(Toy(), trained(tmp_path), [request], GenerateSpec(), context(tmp_path))
    assert answer.text == "bc"
    assert len(answer.choice_scores) == 3
    assert max(answer.choice_scores) == answer.choice_scores[1]


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, ask_all) -> None:
    with pytest.raises(DataError, match="no checkpoint of the toy model"):
        list(ask_all(Toy(), Checkpoint(tmp_path), REQUESTS, GenerateSpec(), context(tmp_path)))


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"format": "other"})])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: str, ask_all) -> None:
    (tmp_path / "letters.json").write_text(content)
    with pytest.raises(DataError, match=r"letters\.json"):
        list(ask_all(Toy(), Checkpoint(tmp_path), REQUESTS, GenerateSpec(), context(tmp_path)))


def test_it_needs_pairs_a_checkpoint_and_a_decoder_that_it_has(tmp_path: Path, ask_all) -> None:
    with pytest.raises(DataError, match="none"):
        Toy().train(TrainData([]), TrainSpec(), context(tmp_path))
    with pytest.raises(UsageError, match="needs a checkpoint"):
        ask_all(Toy(), None, REQUESTS, GenerateSpec(), context(tmp_path))
    with pytest.raises(UsageError, match="beam"):
        list(ask_all(Toy(), trained(tmp_path), REQUESTS, GenerateSpec(decoder="beam"), context(tmp_path)))


def test_it_crashes_where_it_is_told_to_with_the_answers_before_that_given(tmp_path: Path) -> None:
    answers = (
        Toy(ToyOptions(crash_after=2))
        .open(trained(tmp_path), context(tmp_path))
        .generate(REQUESTS, GenerateSpec(), context(tmp_path))
    )
    assert [next(answers).request_id, next(answers).request_id] == ["1", "2"]
    with pytest.raises(StageError, match="after 2 answers"):
        next(answers)
