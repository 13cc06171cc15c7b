"""Assay: fine-tune scientific language models, score them with the field's metrics, publish the table.

This is the public face; plugins import from here, from `harness.training` and from `harness.decoding`.
"""

import signal as _signal
import sys as _sys
from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

_checkout = _Path(__file__).resolve().parent.parent
if (_checkout / "run_bench.py").is_file():  # a checkout keeps the bundled plugins beside us, a wheel inside
    __path__.append(str(_checkout))

_command = _sys.orig_argv
_by_name = bool(_sys.argv) and _Path(_sys.argv[0]).name in ("run-bench", "run_bench.py")
_as_module = "-m" in _command and _command[_command.index("-m") + 1 :][:1] == ["harness"]
if _by_name or _as_module:
    # Ctrl-C before the program can answer it ends the program, without a traceback of what was imported.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from . import api as _api  # noqa: E402
from .api import __all__  # noqa: E402

__version__ = "0.1.0"
__all__ = [*__all__, "__version__"]

if _TYPE_CHECKING:
    from .api import *  # noqa: F403
    from .program import load_run as load_run
    from .program import open_model as open_model
    from .program import run as run
    from .program import score as score


def __getattr__(name: str) -> _Any:
    if name in (
        "run",
        "score",
        "load_run",
        "open_model",
    ):  # they need the engine, which a plugin must not load
        from . import program

        return getattr(program, name)
    if name in __all__:
        found = globals()[name] = getattr(_api, name)
        return found
    raise AttributeError(f"module 'harness' has no attribute '{name}'")
