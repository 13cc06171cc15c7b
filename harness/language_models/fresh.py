"""A small LLaMA with random weights, and a tokenizer learned from the texts that it will be trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .loading import Loaded

BEGIN, END, PAD = "<s>", "</s>", "<pad>"


@dataclass(frozen=True, slots=True)
class SmallOptions:
    """Where weights come from, and the sizes of a model that starts from nothing."""

    weights: str = ""  # a folder or hub id; empty: from nothing
    hidden: int = 128
    intermediate: int = 352
    layers: int = 4
    heads: int = 4
    pieces: int = 1000  # word pieces that are learned from the training texts
    context: int = 1024


def from_nothing(texts: Iterable[str], options: SmallOptions, seed: int) -> Loaded:
    """Return a LLaMA with random weights, and a tokenizer learned from the texts that it will learn."""
    tokenizer = learn_tokenizer(texts, options.pieces)
    model = small_llama(
        tokenizer,
        hidden=options.hidden,
        intermediate=options.intermediate,
        layers=options.layers,
        heads=options.heads,
        context=options.context,
        seed=seed,
    )
    return Loaded(model, tokenizer)


def learn_tokenizer(texts: Iterable[str], pieces: int) -> Any:
    """Learn `pieces` byte-level pieces, so that any text can be read and written back.

    Pieces may span words, which makes texts of few phrasings short. Digits, Chinese characters and words
    that begin with a capital stand alone: names and numbers that no text held are copied piece by piece,
    in the same pieces wherever they stand.
    """
    backend = Tokenizer(models.BPE())
    alone = Regex(r"\p{N}|\p{Han}|\p{Lu}\p{L}*")
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(alone, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=pieces,
        special_tokens=[BEGIN, END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    backend.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
    )


def small_llama(
    tokenizer: Any, *, hidden: int, intermediate: int, layers: int, heads: int, context: int, seed: int
) -> LlamaForCausalLM:
    """Return a LLaMA of these sizes with random weights."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=intermediate,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=context,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
