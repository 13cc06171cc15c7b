"""The model plugin: weights in, rows encoded, trained and asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, LlamaForCausalLM

from harness import (
    Completion,
    Conversation,
    Document,
    GenerateSpec,
    Request,
    RunContext,
    TrainData,
    TrainPair,
    TrainRow,
    TrainSpec,
    UsageError,
    decoding,
    training,
)
from harness.language_models import LanguageModelPlugin, Loaded, named_if_absent

from . import modalities
from .configuration import ROUTINGS, SciMindConfig, configured
from .experts import read_partition
from .modeling import SciMindForCausalLM
from .records import RowEncoder
from .tokenizer import SciMindTokenizer, learn_tokenizer
from .upcycle import CALIBRATION_ROWS, calibrate, upcycle

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True, slots=True)
class SciMindOptions:
    """Where weights come from, how experts are chosen, and the sizes of a model that starts from nothing."""

    weights: str = ""  # a LLaMA-2 or SciMind folder or hub id; empty: from nothing
    partition: str = ""  # folder with the release's partition of neurons; empty: clustered here
    routing: str = "as_described"  # dense | as_described | as_released | routed
    experts: int = 16
    text_experts: int = 14  # experts that a token of each modality gets
    molecule_experts: int = 2
    nucleotide_experts: int = 2
    protein_experts: int = 2
    balance: float = 0.0  # weight of the balance loss, with routing routed
    modality_prior: float = 0.0  # how much a fresh router favours an expert of its own for each modality
    modalities: tuple[str, ...] = modalities.MODALITIES[1:]  # which of them get tokens of their own
    inst: bool = False  # wrap questions as the release's conversations
    release_quirks: bool = False  # newlines, and a maximum length that counts the prompt, as in the release
    hidden: int = 128
    intermediate: int = 352
    layers: int = 4
    heads: int = 4
    pieces: int = 450  # word pieces that are learned from the training texts
    context: int = 1024


class SciMind(LanguageModelPlugin):
    """LLaMA with experts for text, molecules, nucleotides and proteins."""

    Options = SciMindOptions
    targets = ATTENTION

    def begin(self, loaded: Loaded, data: TrainData, spec: TrainSpec, run: RunContext) -> TrainSpec:
        """Train in bf16 where the CPU multiplies it."""
        on_cpu = training.device_of(run).type == "cpu"
        if on_cpu and spec.precision in ("auto", "bf16") and training.cpu_multiplies_bf16():
            spec = replace(spec, precision="bf16")
            # torch's fused backward is slower there, most in bf16
            loaded.model.set_attn_implementation("eager")
        return spec

    def coder(self, model: Any, tokenizer: SciMindTokenizer, spec: TrainSpec | None = None) -> RowEncoder:
        """Return how rows are read: plainly, or in the release's conversation form."""
        return RowEncoder(
            tokenizer,
            inst=self.options.inst,
            prompt_loss=bool(spec and spec.prompt_loss),
            quirks=self.options.release_quirks,
        )

    def new_tokens(self, tokenizer: SciMindTokenizer) -> Sequence[int]:
        """Return the tokens of the modalities."""
        return [token for first, end in tokenizer.modality_ranges.values() for token in range(first, end)]

    def answers(
        self, loaded: Loaded, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer requests; in the release a prompt counts towards the limit of new tokens."""
        if not self.options.release_quirks:
            yield from super().answers(loaded, requests, spec, run)
            return
        coder = self.coder(*loaded)

        def room(request: Request) -> int:
            return max(1, spec.max_new_tokens - len(coder.request(request)["input_ids"]))

        for limit, asked in groupby(sorted(requests, key=room), key=room):
            yield from super().answers(loaded, list(asked), replace(spec, max_new_tokens=limit), run)

    def choices(
        self, loaded: Loaded, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Score choices, each read as an answer is learned: tokenised apart from the prompt it follows."""
        coder = self.coder(*loaded)
        prompts = {request.id: request.prompt for request in requests}

        def encode(request: Request) -> Mapping[str, list[int]]:
            prompt = prompts[request.id]
            return coder.request(replace(request, prompt=prompt), request.prompt[len(prompt) :])

        return decoding.choose(*loaded, requests, spec, run, encode=encode)

    def load_tokenizer(self, path: str) -> SciMindTokenizer:
        """Load the tokenizer of a SciMind, or grow that of a LLaMA."""
        with named_if_absent(path, "LLaMA or SciMind"):
            is_scimind = AutoConfig.from_pretrained(path).model_type == "scimind"
            read = SciMindTokenizer.from_pretrained if is_scimind else SciMindTokenizer.from_base
            tokenizer: SciMindTokenizer = read(path)
        return tokenizer

    def fresh(self, data: TrainData, spec: TrainSpec) -> Loaded:
        """Return a SciMind of the preset's sizes and a tokenizer learned from the training texts."""
        texts = (modalities.to_tokens(text, inputs) for row in data.train for text, inputs in _texts(row))
        tokenizer = learn_tokenizer(texts, self.options.pieces)
        options = self.options
        config = self._configured(
            tokenizer,
            hidden_size=options.hidden,
            intermediate_size=options.intermediate,
            num_hidden_layers=options.layers,
            num_attention_heads=options.heads,
            max_position_embeddings=options.context,
            tie_word_embeddings=True,
        )
        torch.manual_seed(spec.seed)
        return Loaded(SciMindForCausalLM(config), tokenizer)

    def _configured(self, tokenizer: SciMindTokenizer, **sizes: Any) -> SciMindConfig:
        if self.options.routing not in ROUTINGS:
            raise UsageError(
                f"there is no routing '{self.options.routing}'", hint="it is one of " + ", ".join(ROUTINGS)
            )
        return configured(
            vocab_size=len(tokenizer),
            num_experts=self.options.experts,
            routing=self.options.routing,
            experts_per_token=self._experts_per_token(),
            modality_ranges=tokenizer.modality_ranges,
            router_aux_loss_coef=self.options.balance,
            modality_prior=self.options.modality_prior,
            pad_token_id=tokenizer.pad_token_id,
            **sizes,
        )

    def _experts_per_token(self) -> dict[str, int]:
        options = self.options
        return {
            "text": options.text_experts,
            "molecule": options.molecule_experts,
            "nucleotide": options.nucleotide_experts,
            "protein": options.protein_experts,
        }

    def load(
        self, path: str, dtype: torch.dtype, quantization: Any = None, rows: Iterable[TrainRow] = ()
    ) -> Loaded:
        """Load SciMind, or arrange a LLaMA into it, with routers fitted to the first of the rows."""
        with named_if_absent(path, "LLaMA or SciMind"):
            kind = AutoConfig.from_pretrained(path).model_type
            if kind == "scimind":
                model = SciMindForCausalLM.from_pretrained(
                    path, dtype=dtype, quantization_config=quantization
                )
                return Loaded(model, SciMindTokenizer.from_pretrained(path))
            if kind == "llama" and quantization is None:
                return self._upcycled(path, dtype, rows)
        if kind == "llama":
            raise UsageError(
                "4-bit weights cannot be arranged into experts",
                hint="turn LLaMA into SciMind once, as docs/how-to/use-scimind.md shows, and name that",
            )
        raise UsageError(
            f"{path} holds a model of type {kind}, scimind takes a SciMind or a LLaMA",
            hint="--set model.weights=DIR",
        )

    def _upcycled(self, path: str, dtype: torch.dtype, rows: Iterable[TrainRow]) -> Loaded:
        tokenizer = SciMindTokenizer.from_base(path, self.options.modalities)
        routed, encoder = self.options.routing == "routed", self.coder(None, tokenizer)
        first = [encoder.row(row)["input_ids"] for row in islice(rows, CALIBRATION_ROWS)] if routed else []
        if routed and not first:
            raise UsageError(
                "the routers of a fresh SciMind have no training rows to be fitted to",
                hint="train all weights first, or turn LLaMA into SciMind once, as "
                "docs/how-to/use-scimind.md shows, and name that",
            )
        dense = LlamaForCausalLM.from_pretrained(path, dtype=dtype)
        experts = self.options.experts
        partition = None
        if self.options.partition:
            sizes = dense.config
            partition = read_partition(
                Path(self.options.partition), sizes.num_hidden_layers, sizes.intermediate_size, experts
            )
        model = upcycle(
            dense,
            experts=experts,
            routing=self.options.routing,
            experts_per_token=self._experts_per_token(),
            modality_ranges=tokenizer.modality_ranges,
            vocab_size=len(tokenizer),
            partition_LI=partition,
        )
        if first:
            calibrate(model, first)
        return Loaded(model, tokenizer)


def _texts(row: TrainRow) -> Iterator[tuple[str, Mapping[str, str]]]:
    if isinstance(row, TrainPair):
        yield row.prompt, row.inputs
        yield row.target, {}
    elif isinstance(row, Document):
        yield row.text, {}
    elif isinstance(row, Conversation):
        yield from ((message.text, {}) for message in row.messages)
