"""The conformance kit: whether a plugin keeps what the harness and its users rely on.

    run-bench plugins check NAME_OR_PATH
    pytest --pyargs harness.testing --plugin NAME_OR_PATH

or, among a plugin's own tests, one line:

    from harness.testing import conforms; test_my_plugin = conforms("my_plugin")

Every check says what it wanted, what it saw, and what to do.
"""

from .checking import Check, Result, checks_of, run_check
from .loading import Subject, subject_of
from .suite import conforms

__all__ = ["Check", "Result", "Subject", "checks_of", "conforms", "run_check", "subject_of"]
