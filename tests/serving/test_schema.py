"""Whatever the OpenAPI document allows, and much that it does not, gets an answer and never a fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from .conftest import Live, llama, serving

schemathesis = pytest.importorskip("schemathesis")


@pytest.fixture(scope="module")
def small(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    from harness import GenerateSpec

    folder = tmp_path_factory.mktemp("small")
    with serving(llama(weights), folder, spec=GenerateSpec(max_new_tokens=2), output=8) as found:
        yield found


@pytest.mark.filterwarnings("ignore")
def test_no_request_makes_the_server_fail(small: Live) -> None:
    schema = schemathesis.openapi.from_url(f"{small.url}/openapi.json")
    asked: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=25,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            if isinstance(case.body, dict) and "model" in case.body:
                case.body["model"] = "tiny"  # else all are refused for the name
            reply = case.call()
            asked.setdefault(case.path, set()).add(reply.status_code)
            assert reply.status_code < 500 or reply.status_code == 501, (case.body, reply.text)
            if reply.status_code >= 400:
                assert set(reply.json()["error"]) == {"message", "type", "param", "code"}

        ask()
    assert {"/v1/chat/completions", "/v1/completions", "/v1/decisions", "/chat"} <= set(asked)
    assert 200 in asked["/v1/completions"]
