"""lm-eval, asking the server for log-likelihoods and texts, gets the numbers of our own run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import GenerateSpec, Request

from .conftest import Live

pytest.importorskip("lm_eval")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def asking(live: Live, weights: Path) -> Any:
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    return LocalCompletionsAPI(
        model="tiny",
        base_url=f"{live.url}/v1/completions",
        tokenizer=str(weights),
        tokenizer_backend="huggingface",
        max_length=512,
        num_concurrent=4,
        max_retries=1,
    )


def instances(kind: str, arguments: list[Any]) -> list[Any]:
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, given, place) for place, given in enumerate(arguments)]


def test_log_likelihoods_of_choices(asking: Any, live: Live) -> None:
    pairs = [
        (f"Question {n}: what is CCO?\nAnswer:", f" {word}") for n in range(4) for word in ("ab", "cde", "f")
    ]
    found = [log for log, _ in asking.loglikelihood(instances("loglikelihood", pairs), disable_tqdm=True)]
    session, run = live.driver.session, live.driver.run
    asked = [Request(str(n), prompt, choices=(choice,)) for n, (prompt, choice) in enumerate(pairs)]
    own = {c.request_id: c.choice_scores[0] for c in session.choose(asked, GenerateSpec(), run)}
    assert found == pytest.approx([own[str(n)] for n in range(len(pairs))], abs=1e-4)


def test_log_likelihoods_of_texts(asking: Any, live: Live) -> None:
    texts = ["Ethanol burns.", "CC(=O)O is an acid, " * 5]
    found = asking.loglikelihood_rolling(
        instances("loglikelihood_rolling", [(text,) for text in texts]), disable_tqdm=True
    )
    session, run = live.driver.session, live.driver.run
    own = {c.request_id: c for c in session.perplexity([Request(t, t) for t in texts], GenerateSpec(), run)}
    for text, log in zip(
        texts, found, strict=True
    ):  # lm-eval counts the first token too, after an end of text
        [first] = asking.loglikelihood(instances("loglikelihood", [("", text)]), disable_tqdm=True)
        assert log == pytest.approx(first[0], abs=1e-3) and log < own[text].log_likelihood


def test_generated_texts(asking: Any, live: Live) -> None:
    prompts = [f"{n} CCO is" for n in range(5)]
    settings = {"until": ["\n\n"], "max_gen_toks": 8, "temperature": 0}
    found = asking.generate_until(
        instances("generate_until", [(p, settings) for p in prompts]), disable_tqdm=True
    )
    session, run = live.driver.session, live.driver.run
    spec = GenerateSpec(max_new_tokens=8, stop=("\n\n",))
    own = {c.request_id: c.text for c in session.generate([Request(p, p) for p in prompts], spec, run)}
    assert found == [own[prompt] for prompt in prompts]
