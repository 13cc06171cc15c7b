"""What model plugins generate and score choices with.

`generate` yields completions, `choose` the log-likelihoods of a request's choices, `perplexity` says how
well a model predicts long texts. Importing this package imports torch, so only a model's own module does.
"""

from .choices import choose
from .generation import generate
from .language_model import load_dtype
from .perplexity import Perplexity, perplexity

__all__ = ["Perplexity", "choose", "generate", "load_dtype", "perplexity"]
