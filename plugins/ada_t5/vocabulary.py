"""What a tokenizer can write, and what it cannot: T5's own vocabulary has no backslash and no braces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"


def unwritable(tokenizer: Any, texts: Iterable[str]) -> tuple[Counter[str], int, int]:
    """Count characters that come out as unknown, the texts that hold one, and all texts."""
    lost: Counter[str] = Counter()
    known: dict[str, bool] = {}
    touched = total = 0
    for text in texts:
        total += 1
        missing = []
        for character in set(text):
            if character not in known:
                known[character] = _writes(tokenizer, character)
            if not known[character]:
                missing.append(character)
        touched += bool(missing)
        lost.update(missing)
    return lost, touched, total


def _writes(tokenizer: Any, character: str) -> bool:
    if character.isspace():  # SentencePiece folds whitespace; no row is lost by it
        return True
    ids = tokenizer(character, add_special_tokens=False)["input_ids"]
    return bool(ids) and tokenizer.unk_token_id not in ids


def is_cut(tokenizer: Any, texts: Iterable[str], limit: int) -> bool:
    """Whether one of the texts has more tokens than the limit."""
    # No token is shorter than a byte, but for the end and a space that SentencePiece puts first.
    long = (text for text in texts if len(text.encode()) + 2 > limit)
    return any(len(tokenizer(text, verbose=False)["input_ids"]) > limit for text in long)


def grow(tokenizer: Any, model: Any, characters: Iterable[str]) -> int:
    """Add characters to a tokenizer and rows to its model; the new rows begin at the mean of the old."""
    added = int(tokenizer.add_tokens(sorted(characters)))
    if added and len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))
    return added


def from_texts(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """Learn a byte-level tokenizer; merges come from the texts with spaces, so SMILES stay atom by atom."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PAD, END, UNKNOWN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for text in texts if " " in text), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, tokenizer.token_to_id(END))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )
