"""The official client gets what our own run says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from harness import Checkpoint, Completion, GenerateSpec, Message, Request, RunContext, RunSpec

from .conftest import SPEC, Live, llama, openai, serving

USER = [{"role": "user", "content": "CCO is"}]


@pytest.fixture(scope="session")
def session(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from harness.language_models import LanguageModelPlugin

    run = RunContext(tmp_path_factory.mktemp("own"), RunSpec("tiny", "", device="cpu"))
    return LanguageModelPlugin().open(Checkpoint(weights), run)


def own(session: Any, request: Request, **settings: Any) -> Completion:
    spec = GenerateSpec(**{"max_new_tokens": SPEC.max_new_tokens} | settings)
    [completion] = session.generate([request], spec, session._run)
    return completion


def test_models_are_named(client: Any) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").id == "tiny"


def test_a_chat_says_what_our_own_run_says(client: Any, session: Any) -> None:
    wanted = own(session, Request("0", "CCO is", messages=(Message("system", "Short."),)))
    messages = [{"role": "system", "content": "Short."}, *USER]
    answer = client.chat.completions.create(model="tiny", messages=messages)
    [choice] = answer.choices
    assert choice.message.content == wanted.text and choice.message.role == "assistant"
    assert choice.finish_reason == {"length": "length", "stop": "stop"}[wanted.finish]
    assert answer.usage.prompt_tokens == wanted.prompt_tokens
    assert answer.usage.completion_tokens == wanted.new_tokens
    assert answer.usage.total_tokens == wanted.prompt_tokens + wanted.new_tokens


def test_pieces_of_a_stream_are_the_whole(client: Any) -> None:
    whole = client.chat.completions.create(model="tiny", messages=USER)
    pieces = list(
        client.chat.completions.create(
            model="tiny", messages=USER, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(p.choices[0].delta.content or "" for p in pieces if p.choices) == (
        whole.choices[0].message.content
    )
    assert len(pieces) > 4 and pieces[0].choices[0].delta.role == "assistant"
    assert pieces[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert pieces[-1].choices == [] and pieces[-1].usage == whole.usage


def test_samples_have_seeds_and_are_several(client: Any) -> None:
    def ask(**changes: Any) -> list[str]:
        asked = {"model": "tiny", "messages": USER, "temperature": 1.0, "seed": 7, "n": 3} | changes
        return [choice.message.content for choice in client.chat.completions.create(**asked).choices]

    first = ask()
    assert len(set(first)) == 3 and first == ask()
    assert first != ask(seed=8) and ask(temperature=0)[0] == ask(temperature=0, seed=9)[0]
    pieces = client.chat.completions.create(
        model="tiny", messages=USER, temperature=1.0, seed=7, n=3, stream=True
    )
    told = ["", "", ""]
    for piece in pieces:
        for choice in piece.choices:
            told[choice.index] += choice.delta.content or ""
    assert told == first


def test_limits_of_length_and_stop_strings(client: Any) -> None:
    whole = client.chat.completions.create(model="tiny", messages=USER).choices[0].message.content
    for name in ("max_tokens", "max_completion_tokens"):
        answer = client.chat.completions.create(model="tiny", messages=USER, **{name: 2})
        assert answer.usage.completion_tokens == 2 and answer.choices[0].finish_reason == "length"
    stop = whole[3]
    cut = client.chat.completions.create(model="tiny", messages=USER, stop=[stop]).choices[0]
    assert cut.message.content == whole[: whole.index(stop)] and cut.finish_reason == "stop"


def test_settings_of_our_own_go_beside_openais(client: Any, session: Any) -> None:
    way = {"decoder": "contrastive", "top_k": 3, "penalty_alpha": 0.4}
    found = client.chat.completions.create(model="tiny", messages=USER, extra_body=way)
    assert found.choices[0].message.content == own(session, Request("0", "CCO is"), **way).text


def test_log_probabilities_are_the_models(client: Any) -> None:
    answer = client.chat.completions.create(model="tiny", messages=USER, logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    assert all(entry.logprob == entry.top_logprobs[0].logprob for entry in content)  # it was greedy
    assert all(len(entry.top_logprobs) == 3 for entry in content)
    pieces = client.chat.completions.create(
        model="tiny", messages=USER, logprobs=True, top_logprobs=3, stream=True
    )
    streamed = [e for p in pieces for c in p.choices if c.logprobs for e in c.logprobs.content]
    assert streamed[: len(content)] == content


def test_completions_echo_prompts_with_their_log_probabilities(client: Any, session: Any) -> None:
    ids = list(session.text_tokens("CCO is bad"))
    model = session.loaded.model
    with torch.no_grad():
        logs = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    wanted = [float(logs[place, token]) for place, token in enumerate(ids[1:])]
    for prompt in ("CCO is bad", ids, [ids]):
        answer = client.completions.create(
            model="tiny", prompt=prompt, max_tokens=1, echo=True, logprobs=1, temperature=0
        )
        told = answer.choices[0].logprobs
        assert told.token_logprobs[0] is None and len(told.tokens) == len(ids) + 1
        assert told.token_logprobs[1:-1] == pytest.approx(wanted, abs=1e-4)
        assert len(told.top_logprobs[3]) == 1
        assert answer.usage.prompt_tokens == len(ids)
        assert answer.choices[0].text.startswith("CCO is bad")
    alone = client.completions.create(model="tiny", prompt=ids, max_tokens=0, echo=True, logprobs=0)
    assert len(alone.choices[0].logprobs.tokens) == len(ids) and alone.usage.completion_tokens == 0


def test_several_prompts_are_answered_in_order(client: Any) -> None:
    prompts = ["CCO", "CC(=O)O and more", "N"]
    one_by_one = [client.completions.create(model="tiny", prompt=p).choices[0].text for p in prompts]
    together = client.completions.create(model="tiny", prompt=prompts, n=1)
    assert [choice.text for choice in together.choices] == one_by_one
    assert [choice.index for choice in together.choices] == [0, 1, 2]
    pieces = client.completions.create(model="tiny", prompt="CCO", stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == one_by_one[0]


def test_decisions_are_probabilities_over_whole_choices(client: Any, session: Any) -> None:
    questions = [
        {"type": "predicate", "instructions": "Does it burn?", "name": "burns"},
        {
            "type": "choice",
            "instructions": "What is it?",
            "choices": [{"value": "an alcohol"}, {"value": True}],
        },
        {"type": "score", "instructions": "How toxic?", "levels": [{"label": "low"}, {"label": "very high"}]},
    ]
    decision = client.decisions.create(model="tiny", input="Ethanol.", questions=questions)
    burns, kind, toxic = decision.answers
    assert burns.type == "predicate" and burns.name == "burns" and 0 < burns.probability < 1
    assert kind.choice in ("an alcohol", True)
    assert sum(p.probability for p in kind.probabilities) == pytest.approx(1)
    assert kind.confidence == max(p.probability for p in kind.probabilities)
    assert toxic.score == pytest.approx(toxic.probabilities[1].probability)
    asked = Request("q", "Ethanol.\n\nDoes it burn?\nAnswer Yes or No.\n", choices=("Yes", "No"))
    [own_scores] = session.choose([asked], SPEC, session._run)
    yes, no = torch.tensor(own_scores.choice_scores).softmax(0).tolist()
    assert (burns.probability, 1 - burns.probability) == pytest.approx((yes, no), abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "param", "said"),
    [
        ({"model": "other"}, "model", "this server has tiny"),
        ({"extra_body": {"tools": []}}, "tools", "field 'tools' is not supported"),
        ({"extra_body": {"<script>": 1}}, None, "a field of the body is not supported"),
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"n": 1000}, "n", "128"),
        ({"n": 100}, "n", "16 answers"),
        ({"frequency_penalty": 1}, "frequency_penalty", "input should be 0"),
        ({"messages": [{**USER[0], "name": "x"}]}, "messages.0.name", "is not supported"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages.0.content.0.image_url",
            "is not supported",
        ),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "messages", "not the user's"),
        ({"messages": [{"role": "user", "content": "x" * 600}]}, None, "600 tokens"),
        ({"max_tokens": 510}, None, "asks for 510 more, the model holds 512"),
        ({"max_tokens": 100_000}, "max_tokens", "this server gives 4096"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens", "differ"),
        ({"extra_body": {"decoder": "contrastive", "top_k": 500}}, "top_k", "64 tokens here at most"),
        ({"top_logprobs": 2}, "top_logprobs", "go with logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "go with stream"),
        ({"extra_body": {"decoder": "beam", "num_beams": 2}, "logprobs": True}, None, "log-probabilities"),
    ],
)
def test_what_cannot_be_is_refused_by_name(client: Any, changes: Any, param: str | None, said: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(**{"model": "tiny", "messages": USER} | changes)
    assert said in caught.value.body["message"]
    assert caught.value.body["param"] == param or param is None
    assert caught.value.status_code == (404 if param == "model" else 400)
    assert "script" not in str(caught.value.body) and "xxx" not in str(caught.value.body)


def test_token_ids_that_the_model_lacks_are_refused(client: Any, live: Live) -> None:
    with pytest.raises(openai.BadRequestError, match="none of the model's"):
        client.completions.create(model="tiny", prompt=[5, 10_000])
    with pytest.raises(openai.BadRequestError):
        client.completions.create(model="tiny", prompt=[-1])


def test_a_model_is_asked_with_one_of_its_adapters(weights: Path, tmp_path: Path, session: Any) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(weights)
    config = LoraConfig(target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False, r=16)
    get_peft_model(model, config).save_pretrained(tmp_path / "adapter")
    with serving(llama(weights), tmp_path, adapters={"sft": tmp_path / "adapter"}) as live:
        client = live.client()
        assert [model.id for model in client.models.list()] == ["tiny", "tiny:sft"]
        asked = {name: client.completions.create(model=name, prompt="CCO") for name in ("tiny", "tiny:sft")}
        assert asked["tiny"].choices[0].text == own(session, Request("0", "CCO")).text
        assert asked["tiny:sft"].choices[0].text != asked["tiny"].choices[0].text
        with pytest.raises(openai.NotFoundError, match="this server has tiny, tiny:sft"):
            client.completions.create(model="tiny:other", prompt="CCO")


def test_a_conversation_is_laid_out_by_a_template_that_is_asked_for(client: Any, session: Any) -> None:
    assert {"none", "vicuna", "chatml"} <= set(client.models.retrieve("tiny").templates)
    asked = {"model": "tiny", "messages": USER, "temperature": 0}
    found = client.chat.completions.create(**asked, extra_body={"template": "belle"})
    told = client.completions.create(model="tiny", prompt="Human: CCO is\n\nBelle: ", temperature=0)
    assert found.choices[0].message.content == told.choices[0].text
    assert found.usage.prompt_tokens == told.usage.prompt_tokens
    with pytest.raises(openai.BadRequestError, match="no such template; it has none, base, vicuna") as caught:
        client.chat.completions.create(**asked, extra_body={"template": "<script>"})
    assert "script" not in str(caught.value.body)


def test_the_list_of_models_says_what_people_are_to_be_told(live: Live, monkeypatch: Any) -> None:
    assert all("notice" not in model.model_extra for model in live.client().models.list())
    monkeypatch.setattr(live.driver, "notice", {"en": "Ask a doctor.", "zh": "请咨询医生。"})
    first = next(iter(live.client().models.list()))
    assert first.model_extra["notice"]["zh"] == "请咨询医生。"
