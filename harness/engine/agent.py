"""torchrun, quieter: `python -m harness.engine.agent ARGUMENTS OF TORCHRUN`.

Its own stack traces and warnings about workers go to standard output, which is the stage's log; what the
workers say on standard error reaches the user.
"""

from __future__ import annotations

import logging
import sys
import traceback

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

from .launchers import AGAIN


def run(arguments: list[str]) -> int:
    """Run the workers to their end; the exit code says whether they ended well or ask for another start."""
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("torch")]:
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(sys.stdout)
    try:
        main(arguments)
    except SignalException as stop:
        return 128 + stop.sigval
    except ChildFailedError as ended:
        traceback.print_exc(file=sys.stdout)
        # The others may have failed for the want of the one that asks for this.
        return AGAIN if any(one.exitcode == AGAIN for one in ended.failures.values()) else 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
