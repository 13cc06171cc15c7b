"""The best step is kept, by loss or by the task's own metric, and training can stop early."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from harness import Completion, Document, Request, RunContext, TrainData, training
from harness.api.run import SilentProgress

from .conftest import Events, encode_causal, llama, pairs
from .test_fit import SPEC, losses

MakeRun = Callable[..., RunContext]


class Scripted:
    """Scores that follow a script, as a metric that peaks early would."""

    select = "accuracy"
    higher_is_better = True

    def __init__(self, scores: Sequence[float]) -> None:
        self.requests = [Request(str(i), "abc") for i in range(5)]
        self.scores = list(scores)
        self.asked: list[int] = []

    def __call__(self, completions: Iterable[Completion]) -> Mapping[str, float]:
        self.asked.append(len(list(completions)))
        return {"accuracy": self.scores.pop(0)}


def answer(model: torch.nn.Module, requests: Sequence[Request]) -> Iterator[Completion]:
    for request in requests:
        ids = model.generate(torch.tensor([[1, 7, 8]]), max_new_tokens=2, do_sample=True)  # type: ignore[operator]
        yield Completion(request.id, str(ids.tolist()))


def checks(run: RunContext) -> list[dict[str, Any]]:
    rows = map(json.loads, (run.directory / "train_log.jsonl").read_text().splitlines())
    return [row for row in rows if "validation" in row]


def same_weights(*folders: Path) -> bool:
    first, second = (LlamaForCausalLM.from_pretrained(path).state_dict() for path in folders)
    return all(torch.equal(first[name], second[name]) for name in first)


def test_the_step_that_the_metric_likes_best_becomes_the_checkpoint(make_run: MakeRun) -> None:
    best, shorter = make_run("best"), make_run("shorter")
    scripted = Scripted([0.1, 0.9, 0.5, 0.5])
    data = TrainData(pairs(64), evaluator=scripted)
    spec = replace(SPEC, eval_every=3, eval_limit=2, schedule="constant")
    checkpoint = training.fit(llama(), data, encode_causal, spec, best, generate=answer)
    assert checkpoint.step == 6 and scripted.asked == [2, 2, 2, 2]
    assert training.fit(llama(), data, encode_causal, spec, best, generate=answer) == checkpoint
    twelve = replace(SPEC, schedule="constant")
    whole = training.fit(llama(), TrainData(pairs(64)), encode_causal, twelve, make_run("whole"))
    assert checkpoint.last is not None and checkpoint.last.step == whole.step and whole.last is None
    assert same_weights(checkpoint.last.path, whole.path)
    spec = replace(SPEC, max_steps=6, schedule="constant")
    six = training.fit(llama(), TrainData(pairs(64)), encode_causal, spec, shorter)
    assert same_weights(checkpoint.path, six.path)


def test_evaluating_does_not_change_the_training(make_run: MakeRun) -> None:
    plain, watched = make_run("plain"), make_run("watched")
    model = {"attention_dropout": 0.1}
    training.fit(llama(**model), TrainData(pairs(64)), encode_causal, SPEC, plain)
    data = TrainData(pairs(64), validation=pairs(5, seed=2), evaluator=Scripted([0.1] * 20))
    training.fit(llama(**model), data, encode_causal, replace(SPEC, eval_every=2), watched, generate=answer)
    assert losses(plain) == losses(watched)
    first, *others = checks(watched)
    assert first["step"] == 0 and first["validation"].keys() == {"loss", "perplexity"}
    assert all(row["validation"].keys() == {"accuracy", "loss", "perplexity"} for row in others)


def test_patience_ends_a_training_that_no_longer_improves(make_run: MakeRun, events: Events) -> None:
    data = TrainData(pairs(64), evaluator=Scripted([0.5, 0.4, 0.3, 0.2, 0.1, 0.0]))
    spec = replace(SPEC, eval_every=2, patience=2)
    checkpoint = training.fit(llama(), data, encode_causal, spec, make_run(), generate=answer)
    assert checkpoint.step == 2
    assert events.last("training_finished")["steps"] == 6


def test_without_a_metric_the_validation_loss_decides(make_run: MakeRun, events: Events) -> None:
    data = TrainData(pairs(64), validation=pairs(10, seed=2))
    training.fit(llama(), data, encode_causal, replace(SPEC, eval_every=4), make_run())
    facts = events.last("training_finished")
    assert facts["selected_by"] == "loss" and facts["best"] == events.last("validation")["loss"]


def test_watching_a_metric_without_selecting_by_it_selects_by_loss(make_run: MakeRun) -> None:
    scripted = Scripted([0.1] * 20)
    scripted.select = ""
    data = TrainData(pairs(64), validation=pairs(5, seed=2), evaluator=scripted)
    run = make_run()
    training.fit(llama(), data, encode_causal, replace(SPEC, eval_every=2), run, generate=answer)
    assert all(row["validation"].keys() == {"accuracy", "loss", "perplexity"} for row in checks(run)[1:])


class Watched(SilentProgress):
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.facts: dict[str, float | str] = {}

    def advance(self, amount: int = 1, **facts: float | str) -> None:
        self.facts |= facts


def test_metrics_are_seen_in_the_progress_and_beside_the_loss_in_the_curves(make_run: MakeRun) -> None:
    progress = Watched()
    run = make_run(progress=progress)
    data = TrainData(pairs(64), validation=pairs(5, seed=2), evaluator=Scripted([0.25] * 20))
    training.fit(llama(), data, encode_causal, replace(SPEC, eval_every=4), run, generate=answer)
    assert progress.facts["validation accuracy"] == 0.25
    assert progress.facts["validation loss"] == checks(run)[-1]["validation"]["loss"]
    drawn = (run.directory / "curves.svg").read_text()
    assert "<!-- accuracy -->" in drawn and drawn.count('id="axes_') == 3


def test_validation_documents_are_cut_where_training_documents_are(make_run: MakeRun) -> None:
    widths: list[int] = []

    def watched(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> training.Loss:
        widths.append(batch["input_ids"].shape[1])
        return training.model_loss(model, batch)

    def encode(row: Document) -> dict[str, list[int]]:
        return dict.fromkeys(("input_ids", "labels"), [5, 6, 7] * len(row.text))

    spec = replace(SPEC, stage="pretrain", max_length=16, max_steps=2, eval_every=1)
    data = TrainData([Document("x" * 9)], validation=[Document("x" * 20), Document("y" * 11)])
    run = make_run()
    training.fit(llama(), data, encode, spec, run, loss=watched)
    assert max(widths) == 16 and all(
        row["validation"].keys() == {"loss", "perplexity"} for row in checks(run)
    )


def test_what_the_objective_reports_is_logged_and_can_select(make_run: MakeRun) -> None:
    def reporting(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> training.Loss:
        loss = training.model_loss(model, batch)
        return loss._replace(facts={"twice": 2 * loss.sum})

    run = make_run()
    data = TrainData(pairs(20), validation=pairs(5, seed=2))
    training.fit(llama(), data, encode_causal, replace(SPEC, eval_every=4), run, loss=reporting)
    rows = [json.loads(row) for row in (run.directory / "train_log.jsonl").read_text().splitlines()]
    logged = [
        (row["loss"], row["twice"])
        for row in [*rows, *(r["validation"] for r in rows if "validation" in r)]
        if "twice" in row
    ]
    assert len(logged) > 12 and all(twice == pytest.approx(2 * loss) for loss, twice in logged)


def test_ctrl_c_during_the_last_evaluation_stops_the_program_and_loses_no_step(
    make_run: MakeRun, events: Events
) -> None:
    def interrupted(model: torch.nn.Module, requests: Sequence[Request]) -> Iterator[Completion]:
        yield from answer(model, requests)
        if len(evaluator.asked) == 2:
            signal.raise_signal(signal.SIGINT)

    evaluator = Scripted([0.3, 0.2, 0.1, 0.1])
    data, run = TrainData(pairs(64), evaluator=evaluator), make_run()
    spec = replace(SPEC, eval_every=4)
    with pytest.raises(KeyboardInterrupt):
        training.fit(llama(), data, encode_causal, spec, run, generate=interrupted)
    assert len(evaluator.asked) == 3
    checkpoint = training.fit(llama(), data, encode_causal, spec, run, generate=answer)
    assert events.last("training_resumed")["step"] == 12 and checkpoint.step == 4
