"""What plugins of transformers models stand on: decoder-only or encoder-decoder, loaded, trained, asked.

Importing this package imports torch, so only a model's own module does.
"""

from .coding import CausalCoder, Coder, Seq2SeqCoder
from .loading import Loaded, Source, load, load_tokenizer, named_if_absent
from .plugin import LanguageModelOptions, LanguageModelPlugin
from .session import LanguageModelSession
from .templates import Part, PromptTemplate, Template, conversation, template_for, text_of

__all__ = [
    "CausalCoder",
    "Coder",
    "LanguageModelOptions",
    "LanguageModelPlugin",
    "LanguageModelSession",
    "Loaded",
    "Part",
    "PromptTemplate",
    "Seq2SeqCoder",
    "Source",
    "Template",
    "conversation",
    "load",
    "load_tokenizer",
    "named_if_absent",
    "template_for",
    "text_of",
]
