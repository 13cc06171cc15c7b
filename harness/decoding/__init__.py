"""What model plugins generate and score choices with.

`generate` yields completions, `choose` the log-likelihoods of a request's choices, `log_likelihoods`
those of its own text; `perplexity` says how well a model predicts long texts. An `Engine` takes requests
while it answers others. Importing this package imports torch, so only a model's own module does.
"""

from harness.training.precision import load_dtype

from .choices import choose
from .engine import Engine
from .generation import generate
from .perplexity import Perplexity, log_likelihoods, perplexity
from .samples import Sample, sample
from .stream import Stream

__all__ = [
    "Engine",
    "Perplexity",
    "Sample",
    "Stream",
    "choose",
    "generate",
    "load_dtype",
    "log_likelihoods",
    "perplexity",
    "sample",
]
