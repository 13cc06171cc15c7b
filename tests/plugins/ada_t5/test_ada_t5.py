"""ada-T5: what its tokenizer can write, what it saves, and both directions from nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import (
    DataError,
    GenerateSpec,
    Request,
    RunContext,
    RunSpec,
    TrainData,
    TrainPair,
    TrainSpec,
    UsageError,
)

PAIRS = [
    TrainPair("the molecule is ethanol, an alcohol", "CCO"),
    TrainPair("the molecule is ethylamine, an amine", "CCN"),
    TrainPair("the molecule is (E)-but-2-ene", "C/C=C/C"),
    TrainPair("the molecule is (Z)-but-2-ene", "C/C=C\\C"),
]


@pytest.fixture
def tiny() -> Any:
    from harness.plugins.ada_t5.model import AdaT5, AdaT5Options

    return AdaT5(AdaT5Options(d_model=32, d_ff=64, layers=1, heads=2, vocabulary_size=300))


def context(directory: Path) -> tuple[RunContext, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []

    def event(kind: str, /, **facts: Any) -> None:
        events.append({"event": kind, **facts})

    directory.mkdir(parents=True, exist_ok=True)
    return RunContext(directory, RunSpec("ada-t5", "lpm24/text2smiles"), event=event), events


def spec(**changes: Any) -> TrainSpec:
    return TrainSpec(**({"max_steps": 3, "batch_size": 2, "max_length": 64, "learning_rate": 1e-3} | changes))


def test_the_published_vocabulary_cannot_write_a_backslash_and_says_so(test_data: Path) -> None:
    from transformers import T5Tokenizer

    from harness.plugins.ada_t5.vocabulary import unwritable

    tokenizer = T5Tokenizer.from_pretrained(test_data / "tokenizers" / "t5_v1_spiece")
    lost, touched, total = unwritable(tokenizer, ["CCO", "C/C=C\\C", "{x}"])
    assert set(lost) == {"\\", "{", "}"}
    assert (touched, total) == (2, 3)


def test_a_grown_vocabulary_writes_every_reference_back(test_data: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    from harness.plugins.ada_t5.vocabulary import grow, unwritable

    tokenizer = T5Tokenizer.from_pretrained(test_data / "tokenizers" / "t5_v1_spiece")
    model = T5ForConditionalGeneration(
        T5Config(vocab_size=len(tokenizer), d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    )
    smiles = "C/C=C\\C[C@H](N)\\C"
    assert grow(tokenizer, model, unwritable(tokenizer, [smiles])[0]) == 1
    assert unwritable(tokenizer, [smiles])[0] == {}
    ids = tokenizer(smiles)["input_ids"]
    assert max(ids) < model.get_input_embeddings().num_embeddings
    assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == smiles


def test_a_tokenizer_learned_from_texts_gives_every_text_back() -> None:
    from harness.plugins.ada_t5.vocabulary import from_texts, unwritable

    texts = [text for pair in PAIRS for text in (pair.prompt, pair.target)]
    tokenizer = from_texts(texts, 300)
    assert unwritable(tokenizer, [*texts, "Δ 分子"])[0] == {}
    for text in [*texts, "Δ 分子"]:
        assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_what_is_saved_loads_with_plain_transformers_and_generates(tiny: Any, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, T5ForConditionalGeneration

    run, _ = context(tmp_path)
    checkpoint = tiny.train(TrainData(PAIRS), spec(), run)
    model = T5ForConditionalGeneration.from_pretrained(checkpoint.path)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.path)
    assert model.get_input_embeddings().num_embeddings >= len(tokenizer)
    requests = [Request(str(index), pair.prompt) for index, pair in enumerate(PAIRS)]
    completions = list(tiny.open(checkpoint, run).generate(requests, GenerateSpec(max_new_tokens=5), run))
    assert sorted(completion.request_id for completion in completions) == ["0", "1", "2", "3"]
    assert all(completion.new_tokens <= 5 for completion in completions)


def test_pretraining_comes_before_fine_tuning_on_the_same_tokenizer(tiny: Any, tmp_path: Path) -> None:
    both = [*PAIRS, *(TrainPair(pair.target, pair.prompt) for pair in PAIRS)]
    first, _ = context(tmp_path / "pretrain")
    pretrained = tiny.train(TrainData(both), spec(stage="pretrain"), first)
    second, _ = context(tmp_path / "sft")
    tuned = tiny.train(TrainData(PAIRS), spec(base=str(pretrained.path)), second)
    names = ("tokenizer.json", "config.json")
    assert all((pretrained.path / n).read_bytes() == (tuned.path / n).read_bytes() for n in names)


def test_what_the_tokenizer_loses_is_noted_for_the_table(test_data: Path, tmp_path: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    from harness.plugins.ada_t5.model import AdaT5, AdaT5Options

    weights = tmp_path / "weights"
    tokenizer = T5Tokenizer.from_pretrained(test_data / "tokenizers" / "t5_v1_spiece")
    size = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0}
    T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **size)).save_pretrained(weights)
    tokenizer.save_pretrained(weights)

    run, events = context(tmp_path / "as-it-is")
    AdaT5(AdaT5Options(weights=str(weights))).train(TrainData(PAIRS), spec(max_steps=1), run)
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert notes == [
        "1 of 8 training texts hold '\\', which the tokenizer cannot write; "
        "--set model.grow_vocabulary=true adds them"
    ]
    run, events = context(tmp_path / "grown")
    AdaT5(AdaT5Options(weights=str(weights), grow_vocabulary=True)).train(
        TrainData(PAIRS), spec(max_steps=1), run
    )
    assert [event["text"] for event in events if event["event"] == "note"] == ["vocabulary grown by '\\'"]


def test_rows_that_are_cut_are_counted_for_the_table(tiny: Any, tmp_path: Path) -> None:
    run, events = context(tmp_path)
    data = TrainData([*PAIRS, TrainPair("the molecule is long, " * 20, "C" * 70), TrainPair("x", "N" * 80)])
    tiny.train(data, spec(max_steps=1), run)
    assert [event["text"] for event in events if event["event"] == "note"] == [
        "2 of 6 training rows hold more than 64 tokens and were cut; --set train.max_length=N lets in more"
    ]


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    from harness.plugins.ada_t5.model import AdaT5, AdaT5Options

    run, _ = context(tmp_path)
    with pytest.raises(DataError, match="no T5 could be loaded from"):
        AdaT5(AdaT5Options(weights=str(tmp_path / "nothing"))).train(TrainData(PAIRS), spec(), run)


def test_a_model_from_nothing_cannot_answer_untrained(tiny: Any, tmp_path: Path) -> None:
    run, _ = context(tmp_path)
    with pytest.raises(UsageError, match="no weights before training"):
        list(tiny.open(None, run).generate([Request("1", "x")], GenerateSpec(), run))


def test_a_prompt_is_shown_as_the_tokens_that_are_read(tiny: Any, tmp_path: Path) -> None:
    run, _ = context(tmp_path)
    checkpoint = tiny.train(TrainData(PAIRS), spec(max_steps=1), run)
    shown = tiny.open(checkpoint, run).prompt_tokens(Request("1", PAIRS[0].prompt))
    assert len(shown.ids) == len(shown.pieces)
    assert (shown.pieces[-1], shown.bos) == ("</s>", None)


def test_the_release_decays_the_weights_of_norms_and_the_record_says_so(tiny: Any, tmp_path: Path) -> None:
    from harness.plugins.ada_t5.model import AdaT5

    options = replace(tiny.options, release_quirks=True)
    decayed = spec(weight_decay=0.5, max_steps=1, learning_rate=0.1)
    run, _ = context(tmp_path / "ours")
    ours = _norm(tiny.train(TrainData(PAIRS), decayed, run).path)
    run, events = context(tmp_path / "theirs")
    theirs = _norm(AdaT5(options).train(TrainData(PAIRS), decayed, run).path)
    assert torch.allclose(ours - theirs, torch.full_like(ours, 0.1 * 0.5))
    assert [event["text"] for event in events if event["event"] == "note"] == [
        "the weights of norms were decayed, as in the release"
    ]


def _norm(path: Path) -> torch.Tensor:
    from transformers import T5ForConditionalGeneration

    weights = T5ForConditionalGeneration.from_pretrained(path).state_dict()
    return weights["encoder.final_layer_norm.weight"]
