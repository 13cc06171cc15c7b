"""The routes of Mozi's and MedicalGPT's servers, in their exact words."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .conftest import Live
from .test_safety import call

PAPER = {
    "evidences": ["Ethanol burns.", "Wasser nicht."],
    "question": "Does it burn?",
    "decoding_method": "greedy",
    "max_new_tokens": 5,
}
HISTORY = {
    "history": ["Human: hi", "Bot: hello", "Human: 你好"],
    "decoding_method": "greedy",
    "max_new_tokens": 5,
}


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"decoding_method": "sampling", "top_k": 5, "top_p": 0.9},
        {"decoding_method": "contrastive", "top_k": 4, "penalty_alpha": 0.6},
    ],
)
@pytest.mark.parametrize(("path", "body"), [("/paper_ground_dialog", PAPER), ("/emotional_dialog", HISTORY)])
def test_mozis_routes_answer_as_flask_did(live: Live, path: str, body: Any, way: Any) -> None:
    status, headers, reply = call(live, "POST", path, json.dumps(body | way), content_type="text/plain")
    assert status == 200 and headers["content-type"] == "application/json"
    assert re.fullmatch(rb'\{"generation":"[\x20-\x7e]*","is_succ":true,"time":\d+\.[\de-]+\}\n', reply)


def test_the_prompt_is_mozis(live: Live) -> None:
    text = (
        "### Evidence:\nEthanol burns.\nWasser nicht.\n\n### Instruction:\nDoes it burn?\n\n### Response:\n"
    )
    said = json.loads(call(live, "POST", "/paper_ground_dialog", PAPER)[2])["generation"]
    assert (
        said
        == live.client()
        .completions.create(model="tiny", prompt=text, max_tokens=5, temperature=0)
        .choices[0]
        .text
    )
    text = "Human: hi</s>Bot: hello</s>Human: 你好</s>Bot:"
    said = json.loads(call(live, "POST", "/emotional_dialog", HISTORY)[2])["generation"]
    assert (
        said
        == live.client()
        .completions.create(model="tiny", prompt=text, max_tokens=5, temperature=0)
        .choices[0]
        .text
    )


def test_an_unknown_method_is_no_success(live: Live) -> None:
    status, _, reply = call(live, "POST", "/paper_ground_dialog", PAPER | {"decoding_method": "beam"})
    assert status == 200
    assert json.loads(reply) | {"time": 0} == {"generation": "", "is_succ": False, "time": 0}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "{}",
        json.dumps(PAPER | {"evidences": "a"}),
        json.dumps(PAPER | {"max_new_tokens": -1}),
        json.dumps(PAPER | {"question": "\ud800"}),
        json.dumps(PAPER | {"decoding_method": "contrastive", "top_k": 500, "penalty_alpha": 0.6}),
    ],
)
def test_bodies_that_mozi_failed_on_are_refused(live: Live, body: str) -> None:
    status, _, reply = call(live, "POST", "/paper_ground_dialog", body)
    assert status == 400 and json.loads(reply)["is_succ"] is False


def test_medicalgpts_chat(live: Live) -> None:
    status, _, reply = call(live, "POST", "/chat", {"input": "CCO is"})
    said = live.client().chat.completions.create(
        model="tiny", messages=[{"role": "user", "content": "CCO is"}]
    )
    assert status == 200 and json.loads(reply) == {"response": said.choices[0].message.content}
    assert call(live, "POST", "/chat", {"query": "CCO"})[0] == 400
