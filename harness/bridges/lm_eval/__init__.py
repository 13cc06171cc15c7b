"""lm-evaluation-harness: tasks exported for it, its own tasks here, and our models in it."""

import importlib.util

from harness.api import MissingDependency


def require() -> None:
    """Refuse what cannot be done without lm-eval, whose cards and help are there all the same."""
    if importlib.util.find_spec("lm_eval") is None:
        raise MissingDependency("lm-evaluation-harness is not installed", hint="pip install lm-eval")
