"""A model opened by itself, as its preset and settings say: for a chat, a verb, or a program of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.api.notice import notice_of
from harness.api.run import RunContext
from harness.api.workbench import ReadyModel

from .config import Asked, Setting
from .matrix import models_alone, plan
from .plugin_manager import blamed
from .registry import Registry
from .stage import checkpoint_at, make_model


def open_model(
    registry: Registry,
    name: str,
    settings: Mapping[str, Any],
    *,
    task: str = "",
    checkpoint: Path | None = None,
) -> ReadyModel:
    """Open a model for a task, or as a chat asks it."""
    layer = {key: Setting(value, "flag") for key, value in settings.items()}
    asked = Asked(models=(name,), tasks=(task,) if task else (), layers=[layer])
    if task:
        (cell,) = plan(registry, asked)
        found, spec = cell.model, cell.spec
    else:
        ((found, resolved),) = models_alone(registry, asked)
        spec = resolved.spec
    if checkpoint is None and spec.checkpoint:  # a folder of weights that was named as the model
        checkpoint = Path(spec.checkpoint)
    model = make_model(found, spec.model_options)
    run = RunContext(Path(), replace(spec, checkpoint=str(checkpoint or "")))
    with blamed(f"model '{name}'"):
        session = model.open(checkpoint_at(checkpoint) if checkpoint else None, run)
    return ReadyModel(session, run, notice_of(spec, found.entry))
