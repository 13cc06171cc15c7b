"""What model plugins generate and score choices with.

`generate` yields completions, `choose` the log-likelihoods of a request's choices, `log_likelihoods`
those of its own text; `perplexity` says how well a model predicts long texts. Importing this package
imports torch, so only a model's own module does.
"""

from harness.training.precision import load_dtype

from .choices import choose
from .generation import generate
from .perplexity import Perplexity, log_likelihoods, perplexity

__all__ = ["Perplexity", "choose", "generate", "load_dtype", "log_likelihoods", "perplexity"]
