"""Reads a file of settings: a recipe, or what `--config` names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from harness.api.errors import UsageError
from harness.files.json_files import why_unread


def read_file(path: Path) -> dict[str, Any]:
    """Read a config file; what is wrong with it is said with its line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # some editors begin with a byte order mark
    except OSError as error:
        raise UsageError(f"config {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(f"config {path}, line {line}: not UTF-8") from error
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"config {path} is not TOML: {why_unread(error)}") from error
