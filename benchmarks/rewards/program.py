"""The program, run here and answering in JSON."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from harness.cli.main import main as program


def said(*arguments: object) -> Any:
    """Run the program here, where its libraries are loaded, and return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = program(list(map(str, arguments)))
    if code:
        raise SystemExit(code)
    return json.loads(out.getvalue())
