"""What can be refused before a model is loaded, so that a mistake costs seconds and not a download."""

from __future__ import annotations

from harness.api import DataError, TrainData, TrainSpec

from . import settings
from .rows import check_rows


def check(data: TrainData, spec: TrainSpec) -> settings.FitOptions:
    """Refuse settings, rows and absent libraries with which `fit` would not begin; return the typed options.

    `fit` does this itself; a plugin calls it first, before it loads its weights.
    """
    options = settings.check(spec)
    check_rows(data.train, spec.stage)
    if spec.eval_every is not None and data.evaluator is None and not data.validation:
        raise DataError(
            f"train.eval_every is {spec.eval_every}, and there are no validation rows to evaluate on",
            hint="give validation rows, or --set train.eval_every=none",
        )
    return options
