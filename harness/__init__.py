"""Assay: fine-tune scientific language models, score them with the field's metrics, publish the table.

This is the public face; plugins import from here, from `harness.training` and from `harness.decoding`.
"""

from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

_checkout = _Path(__file__).resolve().parent.parent
if (_checkout / "run_bench.py").is_file():  # a checkout keeps the bundled plugins beside us, a wheel inside
    __path__.append(str(_checkout))

from .api import *  # noqa: E402, F403
from .api import __all__  # noqa: E402

__version__ = "0.1.0"
__all__ = [*__all__, "__version__"]

if _TYPE_CHECKING:
    from .program import load_run as load_run
    from .program import run as run
    from .program import score as score


def __getattr__(name: str) -> _Any:
    if name in ("run", "score", "load_run"):  # they need the engine, which a plugin must not load
        from . import program

        return getattr(program, name)
    raise AttributeError(f"module 'harness' has no attribute '{name}'")
