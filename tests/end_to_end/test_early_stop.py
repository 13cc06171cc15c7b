"""Ctrl-C while the program is still being imported: it ends, and shows no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import children

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("module", ["harness.api.errors", "harness.cli.main"])
@pytest.mark.parametrize("program", [[str(ROOT / "run_bench.py")], ["-m", "harness"]], ids=["file", "module"])
def test_ctrl_c_during_the_imports_shows_no_traceback(program, module, tmp_path):
    command = [sys.executable, "-v", *program, "list", "models"]
    with subprocess.Popen(
        command,
        env=children.environment(),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said = []
        for line in process.stderr:  # Python says each import as it happens
            said.append(line)
            if f"import '{module}'" in line:
                os.kill(process.pid, signal.SIGINT)
                break
        said.append(process.stderr.read())
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT)
    assert "Traceback" not in "".join(said)


def test_a_program_of_somebody_else_keeps_its_ctrl_c():
    code = "import signal, harness; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    command = children.python("-c", code)
    done = subprocess.run(command, env=children.environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
