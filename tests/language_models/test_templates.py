"""Templates render what was published, say what is learned, and have an end for every turn."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tokenizers.processors import TemplateProcessing
from transformers import LlamaForCausalLM

from harness import (
    Conversation,
    DataError,
    Document,
    GenerateSpec,
    Message,
    Request,
    RunContext,
    RunSpec,
    TrainPair,
    UsageError,
)
from harness.decoding import choose
from harness.language_models import CausalCoder, conversation, template_for, text_of
from harness.language_models.published_templates import HISTORIC, PUBLISHED

from .golden_templates import GOLDEN

SYSTEM, HI, YES, AND, NO = (
    Message("system", "Be brief."),
    Message("user", "Hi?"),
    Message("assistant", "Yes."),
    Message("user", "And?"),
    Message("assistant", "No."),
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA2 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% if m['role'] == 'user' %}"
    "[INST] {{ m['content'] | trim }} [/INST]{% else %} {{ m['content'] | trim }} {{ eos_token }}{% endif %}"
    "{% endfor %}"
)
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' and loop.last %}"
    "<think>\n\n</think>\n\n{% endif %}"
    "{{ m['content'].split('</think>')[-1].lstrip() if m['role'] == 'assistant' else m['content'] }}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}"
)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_template_renders_what_was_published(name, chat_tokenizer):
    template = template_for(name, chat_tokenizer())
    whole, alone = GOLDEN[name]
    assert text_of(template, [SYSTEM, HI, YES, AND]) == whole
    assert text_of(template, [HI]) == alone


def test_every_published_template_has_its_golden_rendering():
    assert set(GOLDEN) == {"none", *PUBLISHED}
    assert len(HISTORIC) == 16
    assert set(HISTORIC.values()) <= set(PUBLISHED)


@pytest.mark.parametrize("name", GOLDEN)
def test_what_the_assistant_says_is_learned_with_its_end_and_nothing_else(name, chat_tokenizer):
    template = template_for(name, chat_tokenizer())
    parts = template.parts([SYSTEM, HI, YES, AND, NO])
    end = "</s>" if name == "chatglm3" or not template.stop else template.stop
    space = " " if name == "none" else ""
    assert [part.text for part in parts if part.learned] == [f"{space}Yes.{end}", f"{space}No.{end}"]
    assert "".join(part.text for part in parts) == GOLDEN[name][0] + f"{space}No.{end}"


def test_the_end_of_text_is_that_of_the_tokenizer(chat_tokenizer):
    template = template_for("vicuna", chat_tokenizer(eos_token="<|im_end|>"))
    assert text_of(template, [SYSTEM, HI, YES, AND]) == (
        "Be brief.<|im_end|>USER: Hi? ASSISTANT:Yes.<|im_end|>USER: And? ASSISTANT:"
    )


def test_braces_of_a_question_are_left_alone(chat_tokenizer):
    linly = template_for("linly", chat_tokenizer())
    assert text_of(linly, [Message("user", "{query} {x}")]) == "User: {query} {x}\nBot: "


def test_a_name_that_is_none_is_refused_with_the_nearest(chat_tokenizer):
    with pytest.raises(UsageError, match="no template named 'vicunna'") as refused:
        template_for("vicunna", chat_tokenizer())
    assert "vicuna" in refused.value.hint


def test_a_conversation_that_begins_with_the_assistant_is_refused(chat_tokenizer):
    with pytest.raises(DataError, match="begins with the assistant"):
        template_for("vicuna", chat_tokenizer()).parts([YES, HI])


def test_digests_tell_templates_apart_and_hold(chat_tokenizer):
    digests = {name: template_for(name, chat_tokenizer()).digest for name in PUBLISHED}
    assert len(set(digests.values())) == len(digests) - 3  # qwen is one text, with thoughts and without
    assert digests["vicuna"] == template_for("vicuna", chat_tokenizer()).digest
    assert digests["vicuna"] != digests["vicuna-2023"]


def test_the_tokenizers_own_template_is_taken_where_it_has_one(chat_tokenizer):
    made = chat_tokenizer()
    assert template_for("auto", made).name == "none"
    with pytest.raises(UsageError, match="no chat template of its own"):
        template_for("chat", made)
    made.chat_template = CHATML
    assert template_for("auto", made).name == "chat"
    assert text_of(template_for("chat", made), [SYSTEM, HI]) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    ("source", "stop", "learned"),
    [
        (CHATML, "<|im_end|>", ["Yes.<|im_end|>", "No.<|im_end|>"]),
        (LLAMA2, "</s>", [" Yes. </s>", " No. </s>"]),
        (THINKING, "<|im_end|>", ["Yes.<|im_end|>", "<think>\n\n</think>\n\nNo.<|im_end|>"]),
    ],
)
def test_a_tokenizers_template_says_what_is_learned(source, stop, learned, chat_tokenizer):
    made = chat_tokenizer()
    made.chat_template = source
    template = template_for("chat", made)
    messages = [HI, YES, AND, NO]
    parts = template.parts(messages)
    assert template.stop == stop
    assert [part.text for part in parts if part.learned] == learned
    whole = made.apply_chat_template([{"role": m.role, "content": m.text} for m in messages], tokenize=False)
    assert "".join(part.text for part in parts) == whole.rstrip("\n")


def test_thoughts_that_a_template_drops_from_earlier_turns_do_not_confuse_it(chat_tokenizer):
    made = chat_tokenizer()
    made.chat_template = THINKING
    said = Message("assistant", "<think>\nhm\n</think>\n\nYes.")
    parts = template_for("chat", made).parts([HI, said, AND, YES])
    assert [part.text for part in parts if part.learned] == [
        "Yes.<|im_end|>",
        "<think>\n\n</think>\n\nYes.<|im_end|>",
    ]


def test_thinking_is_switched_off_where_the_template_knows_the_switch(chat_tokenizer):
    made = chat_tokenizer()
    made.chat_template = THINKING
    on, off = template_for("chat", made), template_for("chat", made, thinking=False)
    assert text_of(off, [HI]).endswith("assistant\n<think>\n\n</think>\n\n")
    assert (on.reasoning, off.reasoning) == (("<think>", "</think>"), None)
    assert on.digest != off.digest
    assert [part.text for part in off.parts([HI, YES]) if part.learned] == ["Yes.<|im_end|>"]
    with pytest.raises(UsageError, match="switch thinking"):
        template_for("vicuna", made, thinking=False)


def test_a_system_message_goes_before_the_question_where_the_template_takes_none(chat_tokenizer):
    made = chat_tokenizer()
    made.chat_template = LLAMA2
    assert text_of(template_for("chat", made), [SYSTEM, HI]) == "<s>[INST] Be brief.\n\nHi? [/INST]"


def test_rows_and_requests_are_one_text_with_the_answer_learned(chat_tokenizer):
    made = chat_tokenizer()
    coder = CausalCoder(made, template=template_for("vicuna", made))
    row = coder.row(TrainPair("Hi?", "Yes."))
    prompt = coder.request(Request("1", "Hi?"))["input_ids"]
    assert row["input_ids"][: len(prompt)] == prompt
    assert row["labels"][: len(prompt)] == [-100] * len(prompt)
    assert made.decode(row["labels"][len(prompt) :]) == "Yes.</s>"


def test_every_turn_of_the_assistant_is_learned_and_a_request_reads_the_same_tokens(chat_tokenizer):
    made = chat_tokenizer()
    coder = CausalCoder(made, template=template_for("vicuna", made))
    row = coder.row(Conversation((SYSTEM, HI, YES, AND, YES)))
    assert made.decode([token for token in row["labels"] if token != -100]) == "Yes.</s>Yes.</s>"
    asked = coder.request(Request("2", "And?", messages=(SYSTEM, HI, YES)))["input_ids"]
    assert row["input_ids"][: len(asked)] == asked
    assert made.decode(asked) == GOLDEN["vicuna"][0]


def test_a_request_without_a_prompt_is_its_messages():
    assert conversation(Request("1", "", messages=(HI, YES, AND))) == (HI, YES, AND)


def test_a_sequence_begins_once(chat_tokenizer):
    made = chat_tokenizer()
    made.chat_template = LLAMA2
    begun = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", made.bos_token_id)])
    made._tokenizer.post_processor = begun
    for name in ("none", "vicuna", "chat"):
        coder = CausalCoder(made, template=template_for(name, made))
        for ids in (
            coder.request(Request("1", "Hi?"))["input_ids"],
            coder.request(Request("1", "<s>Hi?"))["input_ids"] if name == "none" else [made.bos_token_id],
            coder.row(TrainPair("Hi?", "Yes."))["input_ids"],
        ):
            assert ids[0] == made.bos_token_id
            assert ids.count(made.bos_token_id) == 1
    with pytest.raises(UsageError, match="two tokens that begin a text"):
        CausalCoder(made).request(Request("1", "<s><s>Hi?"))


def test_a_plain_prompt_and_its_answer_are_parted_by_a_space_everywhere(chat_tokenizer):
    made = chat_tokenizer()
    coder = CausalCoder(made)

    def read(prompt, answer):
        request = Request("1", prompt, choices=(answer,))
        asked = coder.choices([request])(Request("1", prompt + answer))
        learned = coder.row(TrainPair(prompt, answer))["input_ids"]
        assert learned[:-1] == asked["input_ids"]
        return made.decode(learned)

    assert read("Hi?", "Yes") == "Hi? Yes</s>"
    assert read("Hi?\n", "Yes") == "Hi?\nYes</s>"
    assert read("Hi?", " Yes") == "Hi? Yes</s>"
    assert read("", "Yes") == "Yes</s>"


def test_a_document_is_learned_whole(chat_tokenizer):
    made = chat_tokenizer()
    row = CausalCoder(made, template=template_for("vicuna", made)).row(Document("abc"))
    assert row["labels"] == row["input_ids"] == [*made("abc")["input_ids"], made.eos_token_id]


def test_generation_stops_where_a_turn_of_the_template_ends(chat_tokenizer):
    made = chat_tokenizer()
    spec = GenerateSpec(stop=("x",))
    assert CausalCoder(made).ending(spec) is spec
    chat = CausalCoder(made, template=template_for("chatml", made)).ending(spec)
    assert chat.options["stop_tokens"] == (made.convert_tokens_to_ids("<|im_end|>"),)
    intern = CausalCoder(made, template=template_for("intern", made)).ending(spec)
    assert intern.stop == ("x", "<eoa>")


def test_choices_follow_the_laid_out_question(chat_tokenizer, tiny_llama, tmp_path):
    made = chat_tokenizer()
    model = LlamaForCausalLM.from_pretrained(tiny_llama).eval()
    model.resize_token_embeddings(len(made))
    coder = CausalCoder(made, template=template_for("chatml", made))
    request = Request("1", "Hi?", choices=("Yes", "No"))
    run = RunContext(tmp_path, RunSpec("tiny", "none"))
    (found,) = choose(model, made, [request], GenerateSpec(), run, encode=coder.choices([request]))
    for choice, score in zip(request.choices, found.choice_scores, strict=True):
        prompt = coder.request(request)["input_ids"]
        ids = [*prompt, *made(choice)["input_ids"]]
        logs = model(torch.tensor([ids])).logits[0].log_softmax(-1).detach()
        alone = sum(float(logs[place - 1, ids[place]]) for place in range(len(prompt), len(ids)))
        assert score == pytest.approx(alone, abs=1e-5)


def test_an_exact_request_is_read_as_it_stands(chat_tokenizer):
    tokenizer = chat_tokenizer()
    coder = CausalCoder(tokenizer, template=template_for("chatml", tokenizer))
    asked = Request("1", "Hi", choices=("x", " y"), exact=True)
    encode = coder.choices([asked])
    assert encode(asked)["input_ids"] == coder.plain("Hi")
    assert encode(replace(asked, prompt="Hix"))["input_ids"] == coder.plain("Hix")
    assert coder.request(replace(asked, exact=False))["input_ids"] != coder.plain("Hi")
