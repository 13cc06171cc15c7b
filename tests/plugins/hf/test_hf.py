"""Any model of transformers is fine-tuned, saved, loaded, asked and chosen from, and says what it settled."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    BertConfig,
    BertForMaskedLM,
    LlamaForCausalLM,
    LlamaModel,
    MambaConfig,
    MambaForCausalLM,
)

from harness import Checkpoint, DataError, Request, UsageError
from harness.plugins.hf.model import HuggingFace, HuggingFaceOptions

from .architectures import ARCHITECTURES, GROUPED

REQUESTS = [
    Request(str(n), "what is " + "water " * n + "?", choices=(" yes", " not at all")) for n in range(8)
]


def texts(session: Any, run: Any, requests: Any = REQUESTS, **changes: Any) -> dict[str, str]:
    spec = replace(run.spec.generate, **changes)
    return {said.request_id: said.text for said in session.generate(requests, spec, run)}


def opened(path: Any, run: Any, **options: Any) -> Any:
    return HuggingFace(HuggingFaceOptions(weights=str(path), **options)).open(None, run)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_learns_and_answers(name, folder, run, data, training):
    model = HuggingFace(HuggingFaceOptions(weights=str(folder(name))))
    context = run()
    trained = model.train(data, training(), context)
    with model.open(trained, context) as session:
        together, alone = texts(session, context), texts(session, context, deterministic=True)
        assert texts(session, context) == together == alone
        scores = {
            c.request_id: c.choice_scores for c in session.choose(REQUESTS, context.spec.generate, context)
        }
        for request in REQUESTS:
            (single,) = session.choose([request], context.spec.generate, context)
            assert single.choice_scores == pytest.approx(scores[request.id], abs=1e-3)
    with model.open(None, context) as untrained:
        (before,) = untrained.choose(REQUESTS[:1], context.spec.generate, context)
        assert before.choice_scores != pytest.approx(scores["0"], abs=1e-3)  # it has learned
    with HuggingFace().open(trained, context) as again:
        assert texts(again, context) == together


@pytest.mark.parametrize("name", ["gpt2", "llama", "t5"])
def test_an_adapter_is_learned_on_any_model(name, folder, run, data, training):
    path = folder(name)
    model = HuggingFace(HuggingFaceOptions(weights=str(path)))
    trained = model.train(data, training(method="lora"), run())
    assert trained.format == "adapter"
    with model.open(trained, run()) as session, model.open(None, run()) as plain:
        answers = texts(session, run())
        assert answers != texts(plain, run())
    with opened(path, run(), adapter=str(trained.path)) as named:
        assert texts(named, run()) == answers


def test_a_strangers_adapter_is_put_on_the_base_it_names(folder, run, tmp_path):
    path = folder("llama")
    torch.manual_seed(0)
    base = LlamaForCausalLM.from_pretrained(path)
    adapted = get_peft_model(base, LoraConfig(target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "theirs")
    with HuggingFace().open(Checkpoint(tmp_path / "theirs"), run()) as alone:
        answers = texts(alone, run())
    with opened(path, run(), adapter=str(tmp_path / "theirs")) as named, opened(path, run()) as plain:
        assert texts(named, run()) == answers != texts(plain, run())


@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_weights_are_asked_in_few_bits(bits, folder, run, events):
    pytest.importorskip("bitsandbytes")
    with opened(folder("wide_llama"), run(), quantise=bits) as session:
        assert len(texts(session, run())) == len(REQUESTS)
    (facts,) = (facts for kind, facts in events if kind == "model")
    assert facts["quantised"] is True


def test_layers_of_no_whole_blocks_answer_in_four_bits_too(folder, run):
    pytest.importorskip("bitsandbytes")
    with opened(folder("llama"), run(), quantise="4bit") as session:
        assert len(texts(session, run())) == len(REQUESTS)


def test_weights_are_asked_in_bf16(folder, run, events):
    with opened(folder("llama"), run(precision="bf16")) as session:
        assert len(texts(session, run(precision="bf16"))) == len(REQUESTS)
    assert next(facts for kind, facts in events if kind == "model")["precision"] == "bfloat16"


def test_perplexity_is_that_of_a_plain_loop(folder, run):
    path = folder("llama")
    requests = [Request("a", "water and salt"), Request("b", "x" * 300)]
    with opened(path, run()) as session:
        found = {said.request_id: said for said in session.perplexity(requests, run().spec.generate, run())}
        model, tokenizer = session.loaded
    ids = tokenizer("water and salt")["input_ids"]
    logs = model(torch.tensor([ids])).logits[0].log_softmax(-1).detach()
    expected = sum(float(logs[place - 1, ids[place]]) for place in range(1, len(ids)))
    assert found["a"].log_likelihood == pytest.approx(expected, abs=1e-4)
    assert (found["a"].new_tokens, found["b"].new_tokens) == (len(ids) - 1, 299)


def test_the_record_says_what_the_model_leaves_open(folder, run, events):
    path = folder("gpt2", pad_token=None, bos_token=None)
    asked = {"do_sample": True, "temperature": 0.6, "eos_token_id": 2, "bos_token_id": 1}
    (path / "generation_config.json").write_text(json.dumps(asked))
    with opened(path, run()) as session:
        assert texts(session, run()) == texts(session, run())
    facts = next(facts for kind, facts in events if kind == "model")
    assert facts["architecture"] == "GPT2LMHeadModel"
    assert (facts["template"], facts["context"]) == ("none", 128)
    assert facts["settled"] == [
        "the tokenizer has no chat template",
        "padding is the end of text, and masked",
        "its generation_config is not followed, generate.* decides: do_sample=True, temperature=0.6",
    ]


def test_an_end_of_text_that_only_the_model_names_is_found(folder, run, data, training):
    path = folder("llama", eos_token=None, pad_token=None)
    model = HuggingFace(HuggingFaceOptions(weights=str(path)))
    with model.open(None, run()) as session:
        assert session.tokenizer.eos_token == "</s>"
    trained = model.train(data, training(max_steps=60, learning_rate=1e-2), run())
    with model.open(trained, run()) as session:
        found = list(session.generate(REQUESTS[:1], run().spec.generate, run()))
    assert found[0].finish == "stop"


def test_the_chat_template_of_the_tokenizer_lays_out_prompts(folder, run, events, chat_tokenizer):
    path = folder("llama")
    tokenizer = chat_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>{% endif %}"
    )
    tokenizer.save_pretrained(path)
    request = Request("1", "Hi")
    with opened(path, run()) as chat, opened(path, run(), template="none") as plain:
        pieces = chat.prompt_tokens(request).pieces
        assert pieces == ("<|im_start|>", "H", "i", "<|im_end|>", "<|im_start|>")
        assert plain.prompt_tokens(request).pieces == ("H", "i")
        texts(chat, run())
    assert next(facts for kind, facts in events if kind == "model")["template"] == "chat"


def test_weights_that_cannot_write_are_refused(run, tmp_path, chat_tokenizer):
    small = {"vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    chat_tokenizer().save_pretrained(tmp_path / "bert")
    BertForMaskedLM(BertConfig(**small, intermediate_size=32)).save_pretrained(tmp_path / "bert")
    with pytest.raises(UsageError, match="a BertForMaskedLM, which writes no text"):
        opened(tmp_path / "bert", run()).loaded  # noqa: B018
    from transformers import LlamaConfig

    chat_tokenizer().save_pretrained(tmp_path / "headless")
    LlamaModel(LlamaConfig(**GROUPED)).save_pretrained(tmp_path / "headless")
    with pytest.raises(DataError, match=r"lack lm_head.weight"):
        opened(tmp_path / "headless", run()).loaded  # noqa: B018
    chat_tokenizer().save_pretrained(tmp_path / "mamba")
    MambaForCausalLM(MambaConfig(vocab_size=320, hidden_size=32, num_hidden_layers=1)).save_pretrained(
        tmp_path / "mamba"
    )
    with (
        opened(tmp_path / "mamba", run()) as session,
        pytest.raises(UsageError, match="keeps no keys and values"),
    ):
        texts(session, run())


def test_code_beside_weights_is_named_and_not_run(run, tmp_path):
    path = tmp_path / "own"
    path.mkdir()
    code = {"AutoConfig": "configuration_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.Own"}
    (path / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": code}))
    (path / "configuration_own.py").write_text("raise SystemExit('this must not run')")
    with pytest.raises(UsageError, match=r"configuration_own.py, modeling_own.py") as refused:
        opened(path, run())
    assert "--trust-remote-code" in refused.value.hint


def test_what_is_not_there_is_said_in_a_sentence(run, tmp_path):
    with pytest.raises(UsageError, match="no weights of its own"):
        HuggingFace().open(None, run())
    with pytest.raises(DataError, match="there is nothing at"):
        opened(tmp_path / "absent", run())
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no model: it has no config.json"):
        opened(tmp_path / "empty", run())
    with pytest.raises(DataError, match="no model could be loaded from org/absent"):
        opened("org/absent", run())
