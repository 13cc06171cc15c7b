"""References as a model's tokenizer gives them back: how some published evaluations scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from harness.api.errors import DataError, MissingDependency
from harness.api.example import Example

MAX_TOKENS = 512  # what the evaluations that did this cut references to


def through_tokenizer(examples: Iterable[Example], name: str) -> Iterator[Example]:
    """Encode and decode every reference; what the tokenizer cannot write is lost, and long ones are cut."""
    try:
        from transformers import AutoTokenizer  # heavy, and needed only where it is asked for
    except ImportError as absent:
        raise MissingDependency(
            "data.reference_tokenizer needs transformers, which is not installed",
            hint="pip install transformers",
        ) from absent
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise DataError(
            f"no tokenizer could be loaded from {name}: {str(error).splitlines()[0]}",
            hint="data.reference_tokenizer takes a folder or a hub id",
        ) from error
    for example in examples:
        ids = tokenizer(list(example.references), truncation=True, max_length=MAX_TOKENS)["input_ids"]
        yield replace(example, references=tuple(tokenizer.batch_decode(ids, skip_special_tokens=True)))
