"""What can be refused before a model is loaded, so that a mistake costs seconds and not a download."""

from __future__ import annotations

from harness.api import RunContext, TrainData, TrainSpec

from .stage import Stage, stage_of


def check(data: TrainData, spec: TrainSpec, run: RunContext) -> Stage:
    """Refuse settings, rows and absent libraries with which a training would not begin; return its stage.

    `learn` and `fit` do this themselves; a plugin calls it first, before it loads its weights.
    """
    stage = stage_of(spec, run)
    stage.check(data)
    return stage
