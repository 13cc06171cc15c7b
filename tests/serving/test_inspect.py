"""inspect, asking the server as it asks any OpenAI server, gets the answers of our own run.

Its libraries do not go with ours, so INSPECT_PYTHON names the interpreter of an environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from harness import GenerateSpec, Request

from .conftest import Live

PYTHON = os.environ.get("INSPECT_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="INSPECT_PYTHON names no environment with inspect_ai")
PROMPTS = [f"{n} CCO is" for n in range(4)]
ASK = """
import json, sys
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.solver import generate

config = GenerateConfig(temperature=0, max_tokens=8, max_connections=4)
task = Task(dataset=[Sample(text) for text in json.loads(sys.argv[2])], solver=generate(), config=config)
[log] = eval(task, model=sys.argv[1], display="none", log_dir="logs")
assert log.status == "success", log.error
samples = sorted(log.samples, key=lambda sample: sample.id)
print(json.dumps([[s.output.completion, s.output.usage.output_tokens] for s in samples]))
"""


@pytest.mark.parametrize("api", ["openai-api", "openai-api-completions"])
def test_inspect_gets_our_answers(live: Live, tmp_path: Path, api: str) -> None:
    told = {"ASSAY_BASE_URL": f"{live.url}/v1", "ASSAY_API_KEY": "none"}
    done = subprocess.run(
        [PYTHON, "-c", ASK, f"{api}/assay/tiny", json.dumps(PROMPTS)],
        cwd=tmp_path,
        env=os.environ | told,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    session, run = live.driver.session, live.driver.run
    spec = GenerateSpec(max_new_tokens=8)
    own = {c.request_id: c for c in session.generate([Request(p, p) for p in PROMPTS], spec, run)}
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == [[own[prompt].text, own[prompt].new_tokens] for prompt in PROMPTS]
