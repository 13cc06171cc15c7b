"""What PPO, RLOO and GRPO learn where the best is known, and what they minimise."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness import (
    Checkpoint,
    DataError,
    RunContext,
    StageError,
    TrainData,
    TrainPair,
    TrainSpec,
    UsageError,
    training,
)
from harness.training import advantages
from harness.training.batching import Collator, EncodedRows
from harness.training.heads import EXPECTS, HEAD
from harness.training.stage import stage_of

from .answering import BANDIT, learner, prompts
from .conftest import Events, encode_causal, llama, preferences, t5
from .test_preference import tokenizer

MakeRun = Callable[..., RunContext]


def log(run: RunContext) -> list[dict[str, Any]]:
    return [json.loads(row) for row in (run.directory / "train_log.jsonl").read_text().splitlines()]


def rollouts(run: RunContext) -> list[dict[str, Any]]:
    return [row["rollout"] for row in log(run) if "rollout" in row]


@pytest.mark.parametrize("kind", ["causal", "encoder-decoder"])
@pytest.mark.parametrize("stage", ["grpo", "rloo", "ppo"])
def test_a_bandit_is_played_at_its_best(make_run: MakeRun, stage: str, kind: str) -> None:
    run = make_run()
    options = {**BANDIT.options, "prompts": 8} if stage == "ppo" else BANDIT.options
    steps = 4 * 40 if stage == "ppo" else 60
    spec = replace(BANDIT, stage=stage, max_steps=steps, options=options)
    training.learn(learner(llama() if kind == "causal" else t5()), prompts("abcdefgh"), spec, run)
    earned = [rollout["reward"] for rollout in rollouts(run)]
    assert earned[0] < 0.2 and sum(earned[-3:]) / 3 > 0.9, earned


@pytest.mark.parametrize("stage", ["grpo", "rloo", "ppo"])
def test_a_short_copy_is_learned_from_what_it_earns(make_run: MakeRun, stage: str) -> None:
    run = make_run()
    texts = [one + other for one in "abc" for other in "abc"]
    options = {"prompts": 9, "samples": 16, "max_new_tokens": 2}
    spec = replace(BANDIT, stage=stage, reward="metric:copied", learning_rate=5e-3, options=options)
    spec = replace(spec, max_steps=200 if stage == "ppo" else 100)
    training.learn(learner(), prompts(texts), spec, run)
    earned = [rollout["reward"] for rollout in rollouts(run)]
    assert earned[0] < 0.1 and sum(earned[-5:]) / 5 > 0.85, earned[::10]


def test_a_rollout_says_what_is_rewarded_and_what_else_became_of_it(make_run: MakeRun) -> None:
    run = make_run()
    options = {**BANDIT.options, "length_penalty": 0.5, "unfinished": 0.25, "format": "x.*", "kl": 0.1}
    reward = {"x": 1, "copied": 0.5}
    spec = replace(BANDIT, reward=reward, max_steps=3, options={**options, "examples_every": 2})
    training.learn(learner(), prompts("abcd"), spec, run)
    first = rollouts(run)[0]
    terms = ["metric:x", "metric:copied", "length", "unfinished", "format"]
    assert first["reward"] == pytest.approx(sum(first[f"reward/{term}"] for term in terms))
    assert {"metric/silent", "distinct", "told_apart", "answer_tokens", "ended"} <= first.keys()
    assert first["sampling_seconds"] >= 0 and first["scoring_seconds"] >= 0
    steps = [row for row in log(run) if "loss" in row]
    assert all(step["entropy"] > 0 and step["kl"] >= 0 and step["clipped"] == 0 for step in steps)
    told = [json.loads(row) for row in (run.directory / "examples.jsonl").read_text().splitlines()]
    assert [row["step"] for row in told] == [1] * 4 + [3] * 4
    answers = told[0]["answers"]
    assert sum(answer["times"] for answer in answers) == 8
    assert [a["reward"] for a in answers] == sorted((a["reward"] for a in answers), reverse=True)


def played(
    stage: str, run: RunContext, taught: Sequence[TrainPair] = (), **options: Any
) -> tuple[Any, dict[str, torch.Tensor], Any]:
    """A stage before its first step, with the batch of its first rollout and its model."""
    model = llama()
    spec = replace(BANDIT, stage=stage, options={**BANDIT.options, **options})
    data = replace(prompts("abcd"), taught=taught)
    trained = stage_of(spec, run)
    trained.check(data)
    trained.begin(learner(model))
    from harness.training.distributed import Group
    from harness.training.replicated import Replicated
    from harness.training.state import Position

    group = Group(0, 1, torch.device("cpu"))

    def collate(rows: EncodedRows) -> Collator:
        return Collator(rows, trained.learner.pad, packed=False, mask=False)

    trained.settle(Replicated(trained.model, spec, trained.options, group), [], collate)
    source = trained.source(data, group)
    step = next(source.steps(Position(), lambda *told: None))
    units = [unit for batch in step.batches for unit in batch]
    return trained, collate(step.rows)(units).inputs, model


def changed(model: Any, amount: float = 0.02) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(amount * torch.randn_like(weight))


@pytest.mark.parametrize("weigh", ["tokens", "answers", "constant"])
def test_grpo_is_that_of_trl(make_run: MakeRun, tmp_path: Path, weigh: str) -> None:
    trl = pytest.importorskip("trl")
    from datasets import Dataset

    more = {"updates": 2, "clip_high": 0.28, "kl": 0.04, "weigh": weigh, "temperature": 0.9}
    stage, batch, model = played("grpo", make_run(), **more)
    batch["count"] = torch.ones_like(batch["count"])  # trl goes through equal answers one by one
    lengths = (batch["labels"] != -100).sum(-1)
    batch["weight"] = {"tokens": lengths, "answers": torch.ones(len(lengths))}.get(
        weigh, torch.full((len(lengths),), 2.0)
    )
    changed(model)
    config = trl.GRPOConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        bf16=False,
        report_to="none",
        gradient_checkpointing=False,
        beta=0.0,  # of a model in memory it would look for another copy on disk
        epsilon=0.2,
        epsilon_high=0.28,
        temperature=0.9,
        max_completion_length=2,
        num_generations=2,
        per_device_train_batch_size=2,
        loss_type={"tokens": "dapo", "answers": "grpo", "constant": "dr_grpo"}[weigh],
    )
    theirs = trl.GRPOTrainer(
        model,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=config,
        processing_class=tokenizer(),
        train_dataset=Dataset.from_list([{"prompt": "<5>"}] * 2),
    )
    theirs.current_gradient_accumulation_steps, theirs.beta = 1, 0.04
    said = {name: batch[name][:, 2:] for name in ("input_ids", "labels", "old", "reference")}
    inputs = {
        "prompt_ids": batch["input_ids"][:, :2],
        "prompt_mask": torch.ones_like(batch["input_ids"][:, :2]),
        "completion_ids": said["input_ids"],
        "completion_mask": (said["labels"] != -100).long(),
        "advantages": batch["advantage"],
        "old_per_token_logps": said["old"],
        "ref_per_token_logps": said["reference"],
        "num_items_in_batch": lengths.sum(),
    }
    expected = theirs._compute_loss(model.eval(), inputs)
    loss = stage.loss(model, {name: value for name, value in batch.items() if name != "attention_mask"})
    assert float(loss.sum.detach() / loss.weight) == pytest.approx(float(expected.detach()), abs=1e-5)


def test_rloo_is_that_of_trl(make_run: MakeRun, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    from datasets import Dataset

    stage, batch, model = played("rloo", make_run(), updates=2)
    batch["count"] = batch["weight"] = torch.ones_like(batch["count"])
    changed(model)
    config = trl.RLOOConfig(
        output_dir=str(tmp_path),
        use_cpu=True,
        bf16=False,
        report_to="none",
        gradient_checkpointing=False,
        beta=0.0,
        num_generations=2,
        per_device_train_batch_size=2,
    )
    theirs = trl.RLOOTrainer(
        model,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=config,
        processing_class=tokenizer(),
        train_dataset=Dataset.from_list([{"prompt": "<5>"}] * 2),
    )
    mask = (batch["labels"][:, 2:] != -100).long()
    inputs = {
        "prompt_ids": batch["input_ids"][:, :2],
        "prompt_mask": torch.ones_like(batch["input_ids"][:, :2]),
        "completion_ids": batch["input_ids"][:, 2:],
        "completion_mask": mask,
        "advantages": batch["advantage"],
        "old_logps": (batch["old"][:, 2:] * mask).sum(-1),
    }
    expected = theirs._compute_loss(model.eval(), inputs)
    loss = stage.loss(model, batch)
    assert float(loss.sum.detach() / loss.weight) == pytest.approx(float(expected.detach()), abs=1e-5)


def test_ppo_is_the_formula(make_run: MakeRun) -> None:
    more = {"kl": 0.1, "value_weight": 0.3, "value_clip": 0.01, "clip_low": 0.1, "clip_high": 0.15}
    stage, batch, model = played("ppo", make_run(), **more)
    changed(stage.model)
    loss = stage.loss(stage.model.eval(), batch)
    with torch.no_grad():
        said = model(input_ids=batch["input_ids"], output_hidden_states=True)
        values = stage.model.head(said.hidden_states[-1])[:, :-1, 0]
    labels = batch["labels"][:, 1:]
    mask = labels != -100
    logs = said.logits[:, :-1].log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    kept = {name: batch[name][:, 1:] for name in ("old", "value", "gained", "return")}
    total = 0.0
    for line, token in mask.nonzero().tolist():
        old, value, gained, end = (
            float(kept[name][line, token]) for name in ("old", "value", "gained", "return")
        )
        ratio, now = math.exp(float(logs[line, token]) - old), float(values[line, token])
        clipped = min(max(ratio, 0.9), 1.15)
        near = min(max(now, value - 0.01), value + 0.01)
        missed = 0.5 * max((now - end) ** 2, (near - end) ** 2)
        total += (max(-ratio * gained, -clipped * gained) + 0.3 * missed) * float(batch["count"][line])
    assert float(loss.sum.detach()) == pytest.approx(total, abs=1e-4)
    assert loss.weight == float((mask.sum(-1) * batch["count"]).sum())


def test_advantages_by_hand() -> None:
    rewards, values = np.array([0.0, 0.0, 1.0]), np.array([0.5, 0.25, 0.5])
    gained, ends = advantages.generalised(rewards, values, discount=0.9, trace=0.8)
    third = 1.0 - 0.5
    second = (0.9 * 0.5 - 0.25) + 0.72 * third
    first = (0.9 * 0.25 - 0.5) + 0.72 * second
    assert gained.tolist() == pytest.approx([first, second, third])
    assert ends.tolist() == pytest.approx((gained + values).tolist())
    earned, counts = np.array([1.0, 0.0]), np.array([1.0, 3.0])  # one answer in four is right
    assert advantages.leave_one_out(earned, counts).tolist() == pytest.approx([1.0, -1 / 3])
    plain = advantages.of_group(earned, counts, scaled=False)
    assert plain.tolist() == pytest.approx([0.75, -0.25])
    deviation = np.array([1.0, 0.0, 0.0, 0.0]).std(ddof=1)
    scaled = advantages.of_group(earned, counts, scaled=True)
    assert scaled.tolist() == pytest.approx((plain / (deviation + 1e-4)).tolist())
    first, second = advantages.whitened([np.array([1.0, 2.0]), np.array([6.0])])
    whole = np.concatenate([first, second])
    assert whole.mean() == pytest.approx(0) and whole.std(ddof=1) == pytest.approx(1)


def test_merged_answers_take_the_step_that_all_of_them_would(make_run: MakeRun) -> None:
    stage, batch, model = played("grpo", make_run(), samples=200, max_new_tokens=1)
    times = batch["count"].long()
    assert int(times.max()) > 1
    merged = stage.loss(model, batch)
    apart = {name: value.repeat_interleave(times, 0) for name, value in batch.items()}
    apart["weight"] = apart["weight"] / apart["count"]
    apart["count"] = torch.ones_like(apart["count"])
    each = stage.loss(model, apart)
    assert float(each.sum.detach()) == pytest.approx(float(merged.sum.detach()), abs=1e-5)
    assert float(each.weight) == float(merged.weight)


@pytest.mark.parametrize("stage", ["grpo", "rloo", "ppo"])
def test_answers_in_the_data_are_learned_beside_what_is_said(make_run: MakeRun, stage: str) -> None:
    """The loss is that of the answers given, and `supervised` x the mean over the tokens of the data's."""
    taught = [TrainPair("ab", "xy"), TrainPair("c", "xyz")]
    both, batch, model = played(stage, make_run(), taught=taught, supervised=0.5)
    told = both.loss(both.model.eval(), batch)
    own = batch["taught"] == 0
    assert int((~own).sum()) == 2 and told.weight == batch["weight"][own].sum()
    said = both.loss(both.model, {name: value[own] for name, value in batch.items()})
    losses = []
    for row in taught:
        tokens = {name: torch.tensor([values]) for name, values in encode_causal(row).items()}
        losses += [float(model(**tokens).loss.detach())] * (len(row.target) + 1)
    mean = sum(losses) / len(losses)
    lesson_weight = float(batch["taught"][~own][0]) * len(losses)
    assert float((told.sum - said.sum).detach()) == pytest.approx(0.5 * mean * lesson_weight, rel=1e-4)
    assert float((told.facts["supervised_loss"] / told.weight).detach()) == pytest.approx(mean, rel=1e-4)


def test_a_mixture_of_both_keeps_what_the_data_teach(make_run: MakeRun) -> None:
    run = make_run()
    spec = replace(BANDIT, options={**BANDIT.options, "supervised": 1.0})
    data = replace(prompts("abcd"), taught=[TrainPair(letter, "xx") for letter in "abcd"])
    training.learn(learner(), data, spec, run)
    steps = [row for row in log(run) if "loss" in row]
    assert steps[-1]["supervised_loss"] < 0.5 < steps[0]["supervised_loss"]
    assert rollouts(run)[-1]["reward"] > 0.9


def test_a_mixture_without_answers_in_the_data_is_refused(make_run: MakeRun) -> None:
    spec = replace(BANDIT, options={**BANDIT.options, "supervised": 0.1})
    with pytest.raises(DataError, match="no rows to learn from"):
        training.learn(learner(), prompts("abcd"), spec, make_run())


def test_the_price_of_leaving_the_reference_follows_its_target(make_run: MakeRun) -> None:
    run = make_run()
    options = {**BANDIT.options, "kl": 0.5, "kl_target": 1e-4, "kl_horizon": 100}
    spec = replace(BANDIT, stage="ppo", max_steps=12, options=options)
    training.learn(learner(), prompts("abcd"), spec, run)
    told = rollouts(run)
    assert told[0]["kl"] == pytest.approx(0, abs=1e-5) and told[1]["price"] == pytest.approx(
        0.5 * (1 - 0.2 * 0.32)
    )
    assert told[2]["price"] > told[1]["price"]  # the model has moved, and moving costs more


@pytest.mark.parametrize("stage", ["grpo", "ppo"])
def test_prompts_that_are_held_out_say_what_was_learned_and_which_step_is_kept(
    make_run: MakeRun, stage: str
) -> None:
    whole, watched, blind = prompts("abcdefgh"), make_run("watched"), make_run("blind")
    rows = list(whole.train)
    data = replace(whole, train=rows[:4], validation=rows[4:])
    spec = replace(BANDIT, stage=stage, max_steps=12, options={**BANDIT.options, "kl": 0.01, "passes": 1})
    checkpoint = training.learn(learner(), data, replace(spec, eval_every=4, eval_limit=3), watched)
    looks = {row["step"]: row["validation"] for row in log(watched) if "validation" in row}
    assert list(looks) == [0, 4, 8, 12] and looks[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert looks[12]["reward"] > looks[0]["reward"] + 0.1 and looks[12]["kl"] > 0
    assert checkpoint.step == max(looks, key=lambda step: looks[step]["reward"])
    training.learn(learner(), data, spec, blind)
    assert [one["reward"] for one in rollouts(watched)] == [one["reward"] for one in rollouts(blind)]


def test_a_reward_model_judges_what_is_said(make_run: MakeRun) -> None:
    """It was taught that an answer without z is better."""
    taught = training.learn(
        learner(),
        TrainData(preferences(40)),
        replace(BANDIT, stage="reward", reward="", options={}),
        make_run("reward"),
    )
    assert (taught.path / HEAD).exists()
    run = replace(make_run(), inputs={"reward": taught})

    def reopened(checkpoint: Checkpoint) -> training.Learner:
        from transformers import LlamaForCausalLM

        return learner(LlamaForCausalLM.from_pretrained(checkpoint.path))

    spec = replace(BANDIT, reward="reward")
    training.learn(learner(open=reopened), prompts("abcd"), spec, run)
    told = rollouts(run)
    assert told[-1]["reward"] > told[0]["reward"] + 0.5
    assert told[0]["reward/reward"] == told[0]["reward"] and "metric/x" in told[0]


def test_ppo_goes_on_from_what_an_earlier_one_expected(make_run: MakeRun) -> None:
    spec = replace(BANDIT, stage="ppo", max_steps=8)
    first = training.learn(learner(), prompts("abcd"), spec, make_run("first"))
    assert (first.path / EXPECTS).exists() and not (first.path / HEAD).exists()
    for base, expects in ((str(first.path), True), ("", False)):
        stage: Any = stage_of(replace(spec, base=base), make_run("second"))
        assert bool(stage.prepare(llama()).head.weight.any()) == expects


@pytest.mark.parametrize("method", ["lora", "qlora"])
@pytest.mark.parametrize("stage", ["grpo", "rloo", "ppo"])
def test_an_adapter_learns_with_its_base_as_the_reference(
    make_run: MakeRun, tmp_path: Path, stage: str, method: str
) -> None:
    run = make_run()
    spec = replace(BANDIT, stage=stage, method=method, lora_r=4, lora_targets=("q_proj", "v_proj"))
    spec = replace(spec, max_steps=4, options={**spec.options, "kl": 0.1, "passes": 2})
    model = training.prepare_model(base(spec, tmp_path), spec)
    frozen = {name: weight.clone() for name, weight in model.named_parameters() if not weight.requires_grad}
    checkpoint = training.learn(learner(model), prompts("abcd"), spec, run)
    assert checkpoint.format == "adapter"
    now = dict(model.named_parameters())
    assert frozen and all(torch.equal(now[name], weight) for name, weight in frozen.items())
    told = [row["kl"] for row in log(run) if "kl" in row] or [row["kl"] for row in rollouts(run)]
    assert told[0] == pytest.approx(0, abs=1e-5) and abs(told[-1]) > abs(told[0])


def base(spec: TrainSpec, folder: Path) -> Any:
    """Return a small model, in four bits where an adapter is to learn on such weights."""
    from transformers import LlamaForCausalLM

    if spec.method != "qlora":
        return llama()
    pytest.importorskip("bitsandbytes")
    llama(hidden_size=64).save_pretrained(folder / "base")
    quantized = training.quantization(spec)
    return LlamaForCausalLM.from_pretrained(
        folder / "base", quantization_config=quantized, dtype=torch.float32
    )


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"reward": ""}, UsageError, "learns from rewards, and none is named"),
    ({"reward": "metric:y"}, UsageError, "no metric 'y' judges the rows of this training"),
    ({"reward": "metric:silent"}, UsageError, "metric 'silent' alone is no reward"),
    ({"reward": "reward"}, UsageError, "no stage or checkpoint is named for it"),
    ({"reward": "nowhere:f"}, UsageError, "needs a module 'nowhere', and there is none"),
    ({"reward": "math:nothing"}, UsageError, "names no function"),
    ({"options": {"samples": 1}}, UsageError, "an answer is compared with others to its prompt"),
    ({"options": {"format": "("}}, UsageError, "is no regular expression"),
    ({"grad_accumulation": 2}, UsageError, "deals answers to steps by train.options.updates"),
    (
        {"max_length": 3},
        DataError,
        "no prompt leaves room for an answer of 2 tokens within train.max_length = 3",
    ),
]


@pytest.mark.parametrize(("changes", "kind", "sentence"), REFUSED)
def test_what_cannot_be_learned_from_is_refused(
    make_run: MakeRun, changes: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    options = {**BANDIT.options, **changes.get("options", {})}
    spec = replace(BANDIT, **{**changes, "options": options})
    with pytest.raises(kind) as refused:
        training.learn(learner(), prompts("abcd"), spec, make_run())
    assert sentence in str(refused.value)


def test_prompts_that_leave_no_room_for_an_answer_are_left_out_and_counted(
    make_run: MakeRun, events: Events
) -> None:
    spec = replace(BANDIT, max_steps=2, max_length=6)
    training.learn(learner(), prompts(["a", "b", "abcdefgh"]), spec, make_run())
    assert "1 of 3 prompts leave no room for an answer of 2 tokens" in events.last("note")["text"]
    assert events.last("training_finished")["rows_too_long"] == 1


def test_silence_beside_something_else_earns_no_more_than_the_worst(make_run: MakeRun) -> None:
    from harness import Request
    from harness.training.rewards import Answer, Rewards

    spec = replace(BANDIT, reward={"silent": 1.0, "x": 2.0})
    judged = Rewards(spec, prompts(["ab"] * 3).judge, None)(
        [Answer(Request(str(place), "ab"), text) for place, text in enumerate(("xxx", "", "xb"))]
    )
    assert judged.terms == {"metric:silent": [-3.0, -3.0, -2.0], "metric:x": [2.0, 0.0, 1.0]}
    assert judged.beside["x"] == [1.0, None, 0.5]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("return float('nan')", "is nan for answer"),
        ("return 'high'", "is 'high' for answer"),
    ],
)
def test_a_reward_that_is_no_number_stops_with_its_answer(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    (tmp_path / "judging.py").write_text(f"def judge(request, answer):\n    {text}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StageError, match=sentence):
        training.learn(learner(), prompts("abcd"), replace(BANDIT, reward="judging:judge"), make_run())


def test_a_reward_that_never_tells_answers_apart_ends_the_stage(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: Events
) -> None:
    (tmp_path / "judging.py").write_text("def same(request, answer):\n    return 1\n")
    monkeypatch.chdir(tmp_path)
    spec = replace(BANDIT, reward="judging:same", options={**BANDIT.options, "silence": 3})
    with pytest.raises(StageError, match="told no answers apart in 3 rollouts, it was 1 for all"):
        training.learn(learner(), prompts("abcd"), spec, make_run())


def test_a_training_that_has_nothing_left_to_learn_ends_well(make_run: MakeRun, events: Events) -> None:
    run = make_run()
    options = {**BANDIT.options, "max_new_tokens": 1, "silence": 3}
    spec = replace(BANDIT, max_steps=500, learning_rate=5e-2, options=options)
    checkpoint = training.learn(learner(), prompts("abcd"), spec, run)
    assert checkpoint.step is not None and checkpoint.step < 500
    assert "told no answers apart in 3 rollouts" in events.last("note")["text"]
    assert training.learn(learner(), prompts("abcd"), spec, run) == checkpoint
