"""Run Assay from a checkout: `python run_bench.py --model scimind --task lpm24`."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback of imports; the program takes it back

import os
import sys
from importlib.util import find_spec
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  whoever runs an older one should read why it fails
    sys.exit("error: Assay needs Python 3.11 or newer, this is " + sys.version.split()[0])

if find_spec("pluggy") is None:
    _venv = Path(__file__).resolve().parent / ".venv"
    _python = _venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if _python.exists() and Path(sys.prefix).resolve() != _venv.resolve():
        os.execv(_python, [str(_python), *sys.argv])
    sys.exit("error: this Python has none of Assay's libraries\nhint: make install && . .venv/bin/activate")

from harness.cli import main

if __name__ == "__main__":
    sys.exit(main())
