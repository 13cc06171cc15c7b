"""The cards of all bundled metrics: what each number is, where it comes from, what its edge cases are."""

from harness.api import MetricEntry

from .answers import choices, qa
from .designs import designs
from .molecules import molecules, properties
from .rankings import rankings
from .texts import texts


def entries() -> list[MetricEntry]:
    """Return every bundled metric."""
    return [*texts(), *molecules(), *properties(), *designs(), *qa(), *rankings(), *choices()]
