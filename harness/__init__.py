"""Assay: fine-tune scientific language models, score them with the field's metrics, publish the table.

This is the public face; plugins import from here, from `harness.training` and from `harness.decoding`.
"""

from pathlib import Path as _Path

_checkout = _Path(__file__).resolve().parent.parent
if (_checkout / "run_bench.py").is_file():  # a checkout keeps the bundled plugins beside us, a wheel inside
    __path__.append(str(_checkout))

from .api import *  # noqa: E402, F403
from .api import __all__  # noqa: E402

__version__ = "0.1.0"
__all__ = [*__all__, "__version__"]
