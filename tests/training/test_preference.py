"""What DPO, ORPO and reward models minimise, against the formula and against trl on the same batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from harness import (
    Checkpoint,
    Conversation,
    DataError,
    Message,
    Preference,
    Request,
    RunContext,
    TrainData,
    TrainPair,
    TrainSpec,
    UsageError,
    training,
)
from harness.training.batching import Collator, Segment, encode_rows
from harness.training.heads import HEAD, WithHead
from harness.training.logprobs import log_probabilities
from harness.training.stage import stage_of

from .conftest import encode_causal, encode_seq2seq, llama, preferences, t5

MakeRun = Callable[..., RunContext]
SPEC = TrainSpec("dpo", max_steps=12, learning_rate=5e-3, batch_size=4, max_length=64, save_every=100)


def save(model: torch.nn.Module, folder: Path) -> None:
    model.save_pretrained(folder)  # type: ignore[operator]


def learner(model: Any = None, encode: Any = encode_causal, **more: Any) -> training.Learner:
    return training.Learner(model or llama(), encode, save, **more)


def begun(run: RunContext, spec: TrainSpec, taught: training.Learner) -> Any:
    stage = stage_of(spec, run)
    stage.begin(taught)
    return stage


def batch_of(stage: Any, rows: list[Preference]) -> dict[str, Tensor]:
    encoded, _ = encode_rows(enumerate(rows), stage.encode, stage.spec, stage.shape)
    collate = Collator(encoded, stage.learner.pad, packed=False, mask=not stage.shape.causal)
    return collate([(Segment(row),) for row in range(len(encoded))]).inputs


def answers(model: Any, batch: Mapping[str, Tensor]) -> Tensor:
    """The log-likelihood of each answer, written out."""
    labels = batch["labels"]
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            logits = model(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels
            ).logits
        else:
            logits, labels = model(input_ids=batch["input_ids"]).logits[:, :-1], labels[:, 1:]
    logs = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return (logs * (labels != -100)).sum(-1)


@pytest.mark.parametrize("kind", ["causal", "encoder-decoder"])
@pytest.mark.parametrize("smooth", [0.0, 0.1])
def test_dpo_is_the_formula_and_so_is_its_gradient(make_run: MakeRun, kind: str, smooth: float) -> None:
    model, reference = (llama(), llama(hidden_act="relu")) if kind == "causal" else (t5(), t5(d_ff=64))
    with torch.no_grad():
        for weight in reference.parameters():
            weight.mul_(1.1)
    spec = replace(SPEC, options={"beta": 0.3, "label_smoothing": smooth})
    encode = encode_causal if kind == "causal" else encode_seq2seq
    stage = begun(make_run(), spec, learner(model, encode))
    batch = batch_of(stage, preferences(5))
    batch["reference"] = answers(reference, batch)
    loss = stage.loss(model.eval(), batch)
    gain = 0.3 * (answers(model, batch) - batch["reference"])
    margin = gain[:5] - gain[5:]
    expected = -(1 - smooth) * logsigmoid(margin) - smooth * logsigmoid(-margin)
    assert (
        float(loss.sum.detach()) == pytest.approx(float(expected.sum().detach()), abs=1e-5)
        and loss.weight == 5
    )
    assert float(loss.facts["margin"].detach()) == pytest.approx(float(margin.sum()), abs=1e-5)

    loss.sum.backward()
    found = {
        name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None
    }
    model.zero_grad()
    share = (1 - smooth) * torch.sigmoid(-margin) - smooth * torch.sigmoid(margin)
    said = log_probabilities(model, batch, without=("margin", "reference")).sum(-1)
    (-(0.3 * share * (said[:5] - said[5:]))).sum().backward()  # the gradient as the paper writes it
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            assert torch.allclose(found[name], weight.grad, atol=1e-6), name


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = {f"<{number}>": number for number in range(48)}
    plain = Tokenizer(models.WordLevel(words, "<3>"))
    return PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<0>", bos_token="<1>", eos_token="<2>")


def test_dpo_and_reward_are_those_of_trl(make_run: MakeRun, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    from datasets import Dataset
    from transformers import LlamaForSequenceClassification

    rows = preferences(6)
    texts = Dataset.from_list([{"prompt": "<5>", "chosen": "<6>", "rejected": "<7>"}])
    plain = {"output_dir": str(tmp_path), "use_cpu": True, "bf16": False, "report_to": "none"}
    quiet = {**plain, "gradient_checkpointing": False, "disable_tqdm": True}

    model, reference = llama(), llama(rms_norm_eps=0.3)
    theirs = trl.DPOTrainer(
        model,
        ref_model=reference,
        args=trl.DPOConfig(beta=0.2, **quiet),
        processing_class=tokenizer(),
        train_dataset=texts,
    )
    encoded = [
        {
            "prompt_ids": [1, *(ord(letter) - 90 for letter in row.prompt)],
            "chosen_ids": [*(ord(letter) - 90 for letter in row.chosen), 2],
            "rejected_ids": [*(ord(letter) - 90 for letter in row.rejected), 2],
        }
        for row in rows
    ]
    expected = theirs.compute_loss(theirs.model, theirs.data_collator(encoded))
    stage = begun(make_run(), replace(SPEC, options={"beta": 0.2}), learner(model))
    batch = batch_of(stage, rows)
    batch["reference"] = answers(reference, batch)
    loss = stage.loss(model, batch)
    assert float(loss.sum.detach() / loss.weight) == pytest.approx(float(expected.detach()), abs=1e-5)

    scored = LlamaForSequenceClassification(llama(num_labels=1).config)
    reward = begun(make_run(), TrainSpec("reward", options={"center": 0.1}), learner(llama()))
    with torch.no_grad():
        scored.score.weight.normal_()
        scored.model.load_state_dict(reward.model.body.model.state_dict())
        reward.model.head.weight.copy_(scored.score.weight)
    config = trl.RewardConfig(center_rewards_coefficient=0.1, **quiet)
    theirs = trl.RewardTrainer(scored, args=config, processing_class=tokenizer(), train_dataset=texts)
    fields = {"chosen_ids": "chosen_ids", "rejected_ids": "rejected_ids"}
    whole = [{ours: row["prompt_ids"] + row[ours] for ours in fields} | {"margin": 0.7} for row in encoded]
    expected = theirs.compute_loss(theirs.model, theirs.data_collator(whole))
    batch = batch_of(reward, [replace(row, margin=0.7) for row in rows])
    loss = reward.loss(reward.model, batch)
    assert float(loss.sum.detach() / loss.weight) == pytest.approx(float(expected.detach()), abs=1e-5)


@pytest.mark.parametrize("kind", ["causal", "encoder-decoder"])
def test_orpo_is_the_formula_and_its_odds_are_those_of_trl(make_run: MakeRun, kind: str) -> None:
    model, encode = (llama(), encode_causal) if kind == "causal" else (t5(), encode_seq2seq)
    stage = begun(make_run(), replace(SPEC, stage="orpo", options={"beta": 0.3}), learner(model, encode))
    batch = batch_of(stage, preferences(5))
    loss = stage.loss(model.eval(), batch)
    counts = ((batch["labels"][:, 1:] if kind == "causal" else batch["labels"]) != -100).sum(-1)
    mean = answers(model, batch) / counts
    odds = (mean.exp() / (1 - mean.exp())).log()
    expected = (-mean[:5] - 0.3 * logsigmoid(odds[:5] - odds[5:])).sum()
    assert float(loss.sum.detach()) == pytest.approx(float(expected.detach()), abs=1e-5)

    orpo = pytest.importorskip("trl.experimental.orpo")
    from types import SimpleNamespace

    given = SimpleNamespace(beta=0.3, accelerator=SimpleNamespace(device="cpu"))
    theirs = orpo.ORPOTrainer.odds_ratio_loss(given, mean[:5], mean[5:])[0]
    assert float((-mean[:5] - theirs).sum()) == pytest.approx(float(loss.sum.detach()), abs=1e-5)


def log(run: RunContext) -> list[dict[str, Any]]:
    return [json.loads(row) for row in (run.directory / "train_log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("stage", ["dpo", "orpo", "reward"])
@pytest.mark.parametrize("kind", ["causal", "encoder-decoder"])
def test_what_is_preferred_is_learned_and_told_on_pairs_held_out(
    make_run: MakeRun, stage: str, kind: str
) -> None:
    run = make_run()
    data = TrainData(preferences(40), validation=preferences(12, seed=7))
    spec = replace(SPEC, stage=stage, max_steps=30, learning_rate=1e-2, eval_every=15)
    model, encode = (llama(), encode_causal) if kind == "causal" else (t5(), encode_seq2seq)
    checkpoint = training.learn(learner(model, encode), data, spec, run)
    rows = log(run)
    last = rows[-1]["validation"]
    assert last["accuracy"] > 0.9 and last["margin"] > 0
    assert rows[-2]["loss"] < rows[1]["loss"] and {"accuracy", "margin"} <= rows[1].keys()
    assert (checkpoint.path / HEAD).exists() == (stage == "reward")


def test_the_reference_under_an_adapter_is_the_one_that_is_asked_before(make_run: MakeRun) -> None:
    spec = replace(
        SPEC, method="lora", lora_r=4, lora_targets=("q_proj",), lora_dropout=0.5, learning_rate=2e-2
    )
    data = TrainData(preferences(20), validation=preferences(4, seed=3))
    runs = {name: make_run(name) for name in ("adapter", "precomputed")}
    for name, run in runs.items():
        chosen = replace(spec, options={"reference": name}, eval_every=6)
        training.learn(learner(training.prepare_model(llama(), chosen)), data, chosen, run)
    losses = [[row["loss"] for row in log(run) if "loss" in row] for run in runs.values()]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6) and losses[0][0] == pytest.approx(0.6931472)
    checks = [log(run)[-1]["validation"]["loss"] for run in runs.values()]
    assert checks[0] == pytest.approx(checks[1], abs=1e-6)


def test_accumulated_pairs_take_the_same_step_as_one_batch(make_run: MakeRun) -> None:
    data = TrainData(preferences(13))
    whole = replace(SPEC, batch_size=13, packing="none", max_steps=4)
    cut = replace(whole, batch_size=3, grad_accumulation=5)
    runs = make_run("whole"), make_run("cut")
    for run, spec in zip(runs, (whole, cut), strict=True):
        training.learn(learner(), data, spec, run)
    one, other = ([row["loss"] for row in log(run)] for run in runs)
    assert one == pytest.approx(other, abs=2e-6)


def encode_turns(row: Any) -> dict[str, list[int]]:
    """A conversation as letters, every turn of the assistant learned; a pair as a conversation of two."""
    if isinstance(row, TrainPair):
        row = Conversation((Message("user", row.prompt), Message("assistant", row.target)))
    ids, labels = [1], [-100]
    for message in row.messages:
        piece = [ord(letter) - 90 for letter in message.text] + [2]
        ids += piece
        labels += piece if message.role == "assistant" else [-100] * len(piece)
    return {"input_ids": ids, "labels": labels}


def encode_request(request: Request) -> dict[str, list[int]]:
    turns = (*request.messages, Message("user", request.prompt))
    return {"input_ids": encode_turns(Conversation(turns))["input_ids"]}


def test_of_a_conversation_the_last_answer_alone_is_compared(make_run: MakeRun) -> None:
    turns = (Message("user", "ab"), Message("assistant", "xyx"), Message("user", "cd"))
    stage = begun(make_run(), SPEC, learner(encode=encode_turns, request=encode_request))
    row = stage.encode(Preference("cd", "xx", "zz", messages=turns))
    learned = [token for token in row["chosen.labels"] if token != -100]
    assert learned == [ord("x") - 90, ord("x") - 90, 2]
    assert row["rejected.input_ids"][: len(row["rejected.input_ids"]) - 3] == row["chosen.input_ids"][:-3]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (Preference("a", "x", "x"), "row 0 prefers an answer to itself: chosen and rejected are equal"),
        (Preference("a", "", "x"), "row 0 has an empty chosen answer"),
        (Preference("a", "x", ""), "row 0 has an empty rejected answer"),
        (Preference("a", "x", "y", margin=float("nan")), "row 0 has a margin of nan"),
        (TrainPair("a", "x"), "stage 'dpo' learns from Preference, row 0 is a TrainPair"),
    ],
)
def test_a_preference_that_teaches_nothing_is_named(make_run: MakeRun, row: Any, sentence: str) -> None:
    with pytest.raises(DataError) as refused:
        training.check(TrainData([row]), SPEC, make_run())
    assert refused.value.message == sentence


def test_a_reference_that_cannot_be_had_is_refused(make_run: MakeRun) -> None:
    data = TrainData(preferences(3))
    spec = replace(SPEC, options={"reference": "adapter"})
    with pytest.raises(UsageError, match="no adapter is begun in this training"):
        training.check(data, spec, make_run())
    with pytest.raises(DataError, match="a streamed corpus has no end"):
        training.check(TrainData(iter(preferences(3))), SPEC, make_run())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"train\.options\.beta is 0"):
        training.check(data, replace(SPEC, options={"beta": 0.0}), make_run())


def test_a_reference_of_another_vocabulary_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    run = replace(make_run(), inputs={"reference": Checkpoint(tmp_path)})
    taught = learner(open=lambda checkpoint: learner(llama(vocab_size=50)))
    with pytest.raises(UsageError, match="the reference has a vocabulary of 50 tokens, the model one of 48"):
        training.learn(taught, TrainData(preferences(3)), SPEC, run)


def test_another_stage_may_be_the_reference(make_run: MakeRun, tmp_path: Path) -> None:
    run = replace(make_run(), inputs={"reference": Checkpoint(tmp_path)})
    taught = learner(open=lambda checkpoint: learner(llama(rms_norm_eps=0.5)))
    training.learn(taught, TrainData(preferences(8)), replace(SPEC, max_steps=1), run)
    assert log(run)[0]["loss"] != pytest.approx(0.6931472, abs=1e-4)


def test_what_a_reference_said_is_kept_and_asked_again_only_of_other_weights(
    make_run: MakeRun, tmp_path: Path
) -> None:
    weights, opened = tmp_path / "reference" / "weights", []
    weights.parent.mkdir()

    def reopened(checkpoint: Checkpoint) -> training.Learner:
        opened.append(weights.read_text())
        return learner(llama(rms_norm_eps=float(opened[-1])))

    run = replace(make_run(), inputs={"reference": Checkpoint(weights.parent)})
    losses = []
    for text in ("0.5", "0.5", "0.1"):
        weights.write_text(text)
        training.learn(learner(open=reopened), TrainData(preferences(8)), replace(SPEC, max_steps=1), run)
        losses.append(log(run)[0]["loss"])
        (run.directory / "state" / "done.json").unlink()  # as if it had ended before it was done
    assert opened == ["0.5", "0.1"] and losses[0] == losses[1] != losses[2]


def test_a_reward_model_is_read_back_with_its_head(make_run: MakeRun, tmp_path: Path) -> None:
    from transformers import LlamaForCausalLM

    checkpoint = training.learn(
        learner(), TrainData(preferences(20)), replace(SPEC, stage="reward"), make_run()
    )
    model = WithHead(LlamaForCausalLM.from_pretrained(checkpoint.path))
    model.load(checkpoint.path)
    assert float(model.head.weight.detach().abs().sum()) > 0
    with pytest.raises(DataError, match=r"holds no reward model: it has no head\.safetensors"):
        model.load(tmp_path)


def test_an_adapter_learns_rewards_beside_its_head(make_run: MakeRun) -> None:
    spec = replace(SPEC, stage="reward", method="lora", lora_r=4, lora_targets=("q_proj", "v_proj"))
    taught = learner(training.prepare_model(llama(), spec))
    checkpoint = training.learn(taught, TrainData(preferences(20)), spec, make_run())
    assert checkpoint.format == "adapter" and (checkpoint.path / HEAD).exists()
    training.load_adapter(llama(), checkpoint.path)  # which is refused on a base that is not its own


@pytest.mark.parametrize("stage", ["dpo", "orpo", "reward"])
def test_preferences_are_learned_on_four_bit_weights(make_run: MakeRun, tmp_path: Path, stage: str) -> None:
    from transformers import LlamaForCausalLM

    pytest.importorskip("bitsandbytes")
    spec = replace(SPEC, stage=stage, method="qlora", lora_r=4, lora_targets=("q_proj", "v_proj"))
    llama(hidden_size=64).save_pretrained(tmp_path / "base")
    model = LlamaForCausalLM.from_pretrained(
        tmp_path / "base", quantization_config=training.quantization(spec), dtype=torch.float32
    )
    run = make_run()
    taught = learner(training.prepare_model(model, spec))
    checkpoint = training.learn(taught, TrainData(preferences(20)), replace(spec, learning_rate=2e-2), run)
    losses = [row["loss"] for row in log(run)]
    assert checkpoint.format == "adapter" and losses[-1] < losses[0]
