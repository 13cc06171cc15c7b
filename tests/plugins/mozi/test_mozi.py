"""Mozi: how rows are read, what an answer rests on, and a whole tiny run."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from harness import (
    Document,
    GenerateSpec,
    Passage,
    Request,
    RunContext,
    RunSpec,
    TrainData,
    TrainPair,
    TrainSpec,
)
from harness.language_models import Loaded
from harness.language_models.fresh import learn_tokenizer, small_llama
from harness.plugins.mozi import PROMPT
from harness.plugins.mozi.coding import EvidenceCoder
from harness.plugins.mozi.model import Mozi, MoziOptions, rests_on, separators_unattended

EVIDENCE = "We train on the Miruva corpus of 8,412 tweets. " * 6
QUESTION = "Which data set do they use?"


@pytest.fixture(scope="module")
def tokenizer():
    return learn_tokenizer([EVIDENCE, QUESTION, PROMPT.template] * 3, 330)


def pair(evidence=EVIDENCE, question=QUESTION, target="Miruva"):
    inputs = {"evidence": evidence, "question": question}
    return TrainPair(PROMPT.render(inputs), target, inputs)


def read(tokenizer, ids):
    return tokenizer.decode(ids)


def test_only_the_answer_and_its_end_are_learned(tokenizer):
    row = EvidenceCoder(tokenizer).row(pair())
    learned = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label != -100]
    assert read(tokenizer, learned) == "Miruva</s>"
    assert read(tokenizer, row["input_ids"]) == pair().prompt + "Miruva</s>"
    assert row["input_ids"][0] != tokenizer.bos_token_id


def test_a_long_row_loses_evidence_from_the_left_and_never_its_question(tokenizer):
    whole = EvidenceCoder(tokenizer).row(pair())
    limit = len(whole["input_ids"]) - 20
    cut = EvidenceCoder(tokenizer, max_length=limit).row(pair())
    assert len(cut["input_ids"]) == len(cut["labels"]) == limit
    assert cut["input_ids"] == whole["input_ids"][-limit:]
    tight = EvidenceCoder(tokenizer, max_length=10).row(pair())
    assert (
        read(tokenizer, tight["input_ids"])
        == f"\n\n### Instruction:\n{QUESTION}\n\n### Response:\nMiruva</s>"
    )


def test_a_document_may_bring_its_tokens_and_ends_with_the_end_of_text(tokenizer):
    row = EvidenceCoder(tokenizer).row(Document("", (7, 8, 9)))
    assert row["input_ids"] == row["labels"] == [7, 8, 9, tokenizer.eos_token_id]


def test_a_request_ends_where_the_answer_begins(tokenizer):
    request = Request("q", pair().prompt, pair().inputs)
    row = EvidenceCoder(tokenizer).row(pair())["input_ids"]
    asked = EvidenceCoder(tokenizer).request(request)["input_ids"]
    assert row[: len(asked)] == asked


def test_any_text_is_read_and_written_back(tokenizer):
    for text in ("Zuvoka 71,093", "糖尿病 β-carotene\n", "ünïcode 🙂"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
    numbers = tokenizer.tokenize("71,093")
    assert [piece.strip("Ġ") for piece in numbers] == ["7", "1", ",", "0", "9", "3"]


def test_an_answer_rests_on_the_passage_it_copies_or_on_all_or_on_none():
    passages = [Passage("p1", "We use Miruva."), Passage("p2", "It has ten rows.")]
    assert rests_on(" Miruva", passages) == ("p1",)
    assert rests_on("a corpus of tweets", passages) == ("p1", "p2")
    assert rests_on("Unanswerable", passages) == rests_on("", passages) == ()


def test_a_small_llama_has_the_sizes_that_were_asked_for(tokenizer):
    model = small_llama(tokenizer, hidden=16, intermediate=24, layers=1, heads=2, context=64, seed=0)
    assert model.config.vocab_size == len(tokenizer) == model.lm_head.weight.shape[0]
    again = small_llama(tokenizer, hidden=16, intermediate=24, layers=1, heads=2, context=64, seed=0)
    assert all((a == b).all() for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_a_run_trains_once_and_answers_in_every_setting(main, tmp_path):
    sizes = ("--set", "model.hidden=16", "--set", "model.layers=1", "--set", "model.heads=2")
    short = ("--max-steps", "2", "--train-limit", "40", "--limit", "6", "--set", "generate.max_new_tokens=4")
    command = ("--model", "mozi", "--task", "qasper", "--no-compare", "--output", str(tmp_path))
    done = main(*command, *sizes, *short)
    assert done.code == 0, done.err
    assert len(list((tmp_path / "trained" / "mozi").glob("2*"))) == 1
    for setting in ("gold", "recalled", "none"):
        assert f"qasper/{setting} (6 rows" in done.out
    table = done.out[done.out.index("qasper (qasper-f1 side by side; built-in sample") :].splitlines()
    assert table[1].split() == ["model", "gold", "recalled", "none"]
    assert len(table[3].split()) >= 5


def test_the_release_pretrains_on_a_line_as_one_text_without_its_separators(tokenizer):
    model = small_llama(tokenizer, hidden=16, intermediate=24, layers=1, heads=2, context=64, seed=0)
    end = tokenizer.eos_token_id
    ids = torch.tensor([[40, 41, end, 42, 43], [50, 51, end, 42, 43]])
    apart = {"input_ids": ids, "position_ids": torch.tensor([[0, 1, 2, 0, 1]] * 2), "use_cache": False}
    wanted = model(input_ids=ids, attention_mask=(ids != end).long()).logits
    model.register_forward_pre_hook(partial(separators_unattended, end), with_kwargs=True)
    assert torch.equal(model.train()(**apart).logits, wanted)
    assert not torch.allclose(wanted[0, 3:], wanted[1, 3:])
    rested = model.eval()(**apart).logits
    assert torch.allclose(rested[0, 3:], rested[1, 3:])


@pytest.mark.parametrize("quirks", [False, True])
def test_fine_tuning_goes_on_with_the_adapter_of_pretraining_on_shards(main, tokenizer, tmp_path, quirks):
    base = tmp_path / "base"
    model = small_llama(tokenizer, hidden=16, intermediate=24, layers=1, heads=2, context=512, seed=0)
    model.save_pretrained(base)
    tokenizer.save_pretrained(base)
    shards = tmp_path / "shards"
    shards.mkdir()
    for number in range(2):
        (shards / f"split_0{number}.jsonl").write_text('{"tokens": [40, 41, 42, 43]}\n' * 4)
    command = [
        "--model",
        "mozi",
        "--preset",
        "llama-7b-pretrain",
        "--task",
        "qasper/gold",
        "--data",
        "sample",
    ]
    settings = {
        "model.weights": base, "train.method": "lora", "train.precision": "fp32", "train.lora_r": 2,
        "stage.pretrain.data": shards, "stage.pretrain.max_steps": 2, "stage.pretrain.batch_size": 2,
        "stage.sft.max_steps": 2, "generate.max_new_tokens": 2, "model.release_quirks": str(quirks).lower(),
    }  # fmt: skip
    command += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    done = main(
        *command, "--output", str(tmp_path / "runs"), "--train-limit", "20", "--limit", "3", "--no-compare"
    )
    assert done.code == 0, done.err
    assert "mozi-f1" in done.out
    assert len(list((tmp_path / "runs" / "trained" / "mozi").glob("2*/checkpoint/adapter_config.json"))) == 2


def test_the_release_ends_early_and_says_one_token_where_its_evidence_ends_a_text(tokenizer, tmp_path):
    model = small_llama(tokenizer, hidden=16, intermediate=24, layers=1, heads=2, context=512, seed=0).eval()
    asked = [Request("plain", "evidence"), Request("ended", "evidence </s> more")]
    run = RunContext(tmp_path, RunSpec("mozi", "qasper/gold"))
    said = {}
    for quirks in (False, True):
        mozi = Mozi(MoziOptions(release_quirks=quirks))
        found = mozi.answers(
            Loaded(model, tokenizer), asked, GenerateSpec(max_new_tokens=5, min_new_tokens=1), run
        )
        said[quirks] = {completion.request_id: completion.new_tokens for completion in found}
        spec = mozi.begin(Loaded(model, tokenizer), TrainData([]), TrainSpec(max_steps=2010), run)
        assert spec.max_steps == (251 if quirks else 2010)
    assert said[True]["ended"] == 1 < said[False]["ended"]
    assert said[True]["plain"] == said[False]["plain"]
