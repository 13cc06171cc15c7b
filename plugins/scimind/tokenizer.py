"""The tokenizer: any LLaMA-2 vocabulary with the modality tokens after it, saved as one folder.

`SciMindTokenizer.from_base("meta-llama/Llama-2-7b-hf")` gives the ids of the release: 32,066 with molecules
only, 32,098 with nucleotides and proteins as well. `learn_tokenizer` makes a small one from texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from harness import UsageError

from . import modalities
from .modalities import MODALITIES, modality_tokens

WRAPPED = MODALITIES[1:]


class SciMindTokenizer(PreTrainedTokenizerFast):
    """A LLaMA tokenizer that knows molecule, nucleotide and protein characters.

    The modality tokens are ordinary tokens: decoding with `skip_special_tokens=True` keeps them, and
    `decode_text` turns them back into SMILES and sequences.
    """

    padding_side = "left"
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012 - transformers declares it as a list

    @classmethod
    def from_base(cls, base: str | Path, modalities: Sequence[str] = WRAPPED) -> SciMindTokenizer:
        """Take a LLaMA tokenizer (folder with tokenizer.model or tokenizer.json, or a hub id) and grow it."""
        try:
            loaded = AutoTokenizer.from_pretrained(str(base))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"no tokenizer in '{base}'",
                hint="name a folder with tokenizer.model or tokenizer.json, or a hub id that you can reach",
            ) from error
        if not hasattr(loaded, "backend_tokenizer"):
            raise UsageError(f"the tokenizer in '{base}' has no fast version", hint="pip install protobuf")
        return cls.grown(loaded.backend_tokenizer, modalities)

    @classmethod
    def grown(cls, backend: Tokenizer, modalities: Sequence[str] = WRAPPED) -> SciMindTokenizer:
        """Append the modality tokens to a tokenizer with the pieces <unk>, <s> and </s>.

        Padding uses <unk>, as the release does: LLaMA-2 has no piece of its own for it.
        """
        named = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
        if missing := [piece for piece in named.values() if backend.token_to_id(piece) is None]:
            raise UsageError(
                f"the base tokenizer has no piece {', '.join(missing)}; SciMind needs LLaMA's",
                hint="--set model.weights=DIR with LLaMA-2's weights and tokenizer",
            )
        tokenizer = cls(tokenizer_object=backend, pad_token="<unk>", **named)
        for modality in modalities:
            tokenizer.add_tokens(
                [AddedToken(token, normalized=False, special=False) for token in modality_tokens(modality)]
            )
        return tokenizer

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.modality_ranges)

    @property
    def modality_ranges(self) -> dict[str, list[int]]:
        """Name the ids of each modality as [first, last + 1]."""
        ranges = {}
        for modality in WRAPPED:
            ids = [self.backend_tokenizer.token_to_id(token) for token in modality_tokens(modality)]
            if None not in ids:
                if ids != list(range(ids[0], ids[0] + len(ids))):
                    raise UsageError(f"the tokenizer's {modality} tokens are not in SciMind's order")
                ranges[modality] = [ids[0], ids[-1] + 1]
        return ranges

    def encode_text(self, text: str, inputs: Mapping[str, str] | None = None) -> list[int]:
        """Return the ids of a raw text, its sequences wrapped and no special token added."""
        wrapped = modalities.to_tokens(text, inputs, self._known)
        return list(self.backend_tokenizer.encode(wrapped, add_special_tokens=False).ids)

    def decode_text(self, ids: Iterable[int]) -> str:
        """Return the text behind ids as people write it: no special tokens, no wrapping."""
        return modalities.unwrap(self.decode(list(ids), skip_special_tokens=True))


def learn_tokenizer(texts: Iterable[str], pieces: int) -> SciMindTokenizer:
    """Learn word pieces from texts whose sequences are wrapped already; `pieces` does not count the latter.

    Pieces may span words, which makes captions of few phrasings short; digits, hyphens, commas and
    brackets stand alone, so that locants combine freely. A character that the texts lack becomes <unk>.
    """
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
            pre_tokenizers.Split(Regex(r"[\p{N}\-(),\[\]]"), "isolated"),
        ]
    )
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", left=1, right=0)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=pieces, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    backend.train_from_iterator((modalities.without_wrapped(text) for text in texts), trainer)
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return SciMindTokenizer.grown(backend)
