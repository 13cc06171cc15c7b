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
    Checkpoint,
    Completion,
    DataError,
    GenerateSpec,
    ModelPlugin,
    PromptTokens,
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


class SciMind(ModelPlugin):
    """LLaMA with experts for text, molecules, nucleotides and proteins."""

    Options = SciMindOptions

    def train(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        """Continue pretraining on documents."""
        if spec.stage != "pretrain":
            raise UsageError(f"scimind has no stage '{spec.stage}'", hint="its stages are pretrain and sft")
        return self._fit(data, spec, run)

    def finetune(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        """Learn a task, or all directions of a group at once."""
        return self._fit(data, spec, run)

    def generate(
        self, requests: Sequence[Request], checkpoint: Checkpoint | None, spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Answer requests with the checkpoint, or with the weights of the preset."""
        model, tokenizer = self._trained(checkpoint, spec, run)
        yield from self._answers(model, tokenizer, requests, spec, run)

    def choose(
        self, requests: Sequence[Request], checkpoint: Checkpoint | None, spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        """Score the choices of each request."""
        model, tokenizer = self._trained(checkpoint, spec, run)
        encoder = self._encoder(tokenizer)
        prompts = {request.id: request.prompt for request in requests}

        def encode(request: Request) -> Mapping[str, list[int]]:
            """Read a choice as an answer is learned: tokenised apart from the prompt that it follows."""
            prompt = prompts[request.id]
            return encoder.request(replace(request, prompt=prompt), request.prompt[len(prompt) :])

        yield from decoding.choose(model, tokenizer, requests, spec, run, encode=encode)

    def prompt_tokens(self, request: Request, checkpoint: Checkpoint | None) -> PromptTokens:
        """Return the ids that generation feeds the model for a request, from the tokenizer alone."""
        path = self._whole(str(checkpoint.path) if checkpoint is not None else "")
        try:
            is_scimind = AutoConfig.from_pretrained(path).model_type == "scimind"
        except (OSError, ValueError) as error:
            raise DataError(f"no LLaMA or SciMind at {path}: {str(error).splitlines()[0]}") from error
        read = SciMindTokenizer.from_pretrained if is_scimind else SciMindTokenizer.from_base
        tokenizer: SciMindTokenizer = read(path)
        ids = self._encoder(tokenizer).request(request)["input_ids"]
        pieces = tokenizer.convert_ids_to_tokens(ids)
        return PromptTokens(tuple(ids), tuple(pieces), ids.count(tokenizer.bos_token_id))

    def _fit(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        training.check(data, spec)
        model, tokenizer = self._start(data, spec)
        on_cpu = training.device_of(run).type == "cpu"
        if on_cpu and spec.precision in ("auto", "bf16") and training.cpu_multiplies_bf16():
            spec = replace(spec, precision="bf16")
            model.set_attn_implementation("eager")  # torch's fused backward is slower there, most in bf16
        encoder = self._encoder(tokenizer, prompt_loss=spec.prompt_loss)
        adapter = hasattr(model, "peft_config")

        def save(model: Any, folder: Path) -> None:
            # An adapter carries the rows of new tokens already.
            model.save_pretrained(folder, **({"save_embedding_layers": False} if adapter else {}))
            tokenizer.save_pretrained(folder)

        def generate(model: Any, requests: Sequence[Request]) -> Iterable[Completion]:
            return self._answers(model, tokenizer, requests, run.spec.generate, run)

        return training.fit(
            model,
            data,
            encoder.row,
            spec,
            run,
            save=save,
            pad={"input_ids": tokenizer.pad_token_id, "labels": -100},
            generate=generate,
        )

    def _answers(
        self,
        model: Any,
        tokenizer: SciMindTokenizer,
        requests: Sequence[Request],
        spec: GenerateSpec,
        run: RunContext,
    ) -> Iterator[Completion]:
        encoder = self._encoder(tokenizer)
        for limited, asked in self._by_limit(requests, encoder, spec):
            yield from decoding.generate(
                model, tokenizer, asked, limited, run, encode=encoder.request, decode=tokenizer.decode_text
            )

    def _by_limit(
        self, requests: Sequence[Request], encoder: RowEncoder, spec: GenerateSpec
    ) -> Iterator[tuple[GenerateSpec, Sequence[Request]]]:
        """Yield requests with their limit of new tokens; in the release the prompt counts towards it."""
        if not self.options.release_quirks:
            yield spec, requests
            return

        def room(request: Request) -> int:
            return max(1, spec.max_new_tokens - len(encoder.request(request)["input_ids"]))

        for limit, group in groupby(sorted(requests, key=room), key=room):
            yield replace(spec, max_new_tokens=limit), list(group)

    def _encoder(self, tokenizer: SciMindTokenizer, *, prompt_loss: bool = False) -> RowEncoder:
        return RowEncoder(
            tokenizer,
            inst=self.options.inst,
            prompt_loss=prompt_loss,
            quirks=self.options.release_quirks,
        )

    def _start(self, data: TrainData, spec: TrainSpec) -> tuple[Any, SciMindTokenizer]:
        """Load what training starts from: an earlier stage, the preset's weights, or nothing."""
        if not spec.base and not self.options.weights:
            if spec.method == "full":
                return self._from_nothing(data, spec)
            raise UsageError("an adapter needs weights under it", hint="--set model.weights=DIR")
        # AdamW in the weights' own fp16 would lose its updates.
        halves = spec.method != "full" and torch.cuda.is_available()
        dtype = torch.bfloat16 if halves else torch.float32
        # An adapter does not carry the routers that were fitted to rows under it.
        rows = data.train if spec.method == "full" else ()
        model, tokenizer = self._load(self._whole(spec.base), dtype, training.quantization(spec), rows)
        new = [token for first, end in tokenizer.modality_ranges.values() for token in range(first, end)]
        return training.prepare_model(model, spec, targets=ATTENTION, new_tokens=new), tokenizer

    def _trained(
        self, checkpoint: Checkpoint | None, spec: GenerateSpec, run: RunContext
    ) -> tuple[Any, SciMindTokenizer]:
        path = str(checkpoint.path) if checkpoint is not None else ""
        device = training.device_of(run)
        model, tokenizer = self._load(self._whole(path), decoding.load_dtype(spec.precision, device))
        if training.is_adapter(path):
            model = training.load_adapter(model, Path(path))
        return model.to(device), tokenizer

    def _whole(self, path: str) -> str:
        """Name the folder of whole weights: `path`, what an adapter there stands on, or the preset's own."""
        weights = training.base_of(path) or self.options.weights
        if not weights and path:
            raise UsageError(
                f"{path} is an adapter, and its base is not named", hint="--set model.weights=DIR names it"
            )
        if not weights:
            raise UsageError("this preset has no weights before training", hint="leave out --no-train")
        if training.is_adapter(weights):
            raise UsageError(
                f"{weights} is an adapter, not whole weights",
                hint="name its base in model.weights, and it with --checkpoint or in train.base",
            )
        return weights

    def _from_nothing(self, data: TrainData, spec: TrainSpec) -> tuple[Any, SciMindTokenizer]:
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
        return SciMindForCausalLM(config), tokenizer

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

    def _load(
        self, path: str, dtype: torch.dtype, quantization: Any = None, rows: Iterable[TrainRow] = ()
    ) -> tuple[Any, SciMindTokenizer]:
        """Load SciMind, or arrange a LLaMA into it, with routers fitted to the first of the rows."""
        try:
            kind = AutoConfig.from_pretrained(path).model_type
            if kind == "scimind":
                model = SciMindForCausalLM.from_pretrained(
                    path, dtype=dtype, quantization_config=quantization
                )
                return model, SciMindTokenizer.from_pretrained(path)
            if kind == "llama" and quantization is not None:
                raise UsageError(
                    "4-bit weights cannot be arranged into experts",
                    hint="turn LLaMA into SciMind once, as docs/how-to/use-scimind.md shows, and name that",
                )
            if kind == "llama":
                return self._upcycled(path, dtype, rows)
        except (OSError, ValueError) as error:
            raise DataError(
                f"no LLaMA or SciMind could be loaded from {path}: {str(error).splitlines()[0]}",
                hint="--set model.weights=DIR with config.json, model.safetensors and the tokenizer's files",
            ) from error
        raise UsageError(
            f"{path} holds a model of type {kind}, scimind takes a SciMind or a LLaMA",
            hint="--set model.weights=DIR",
        )

    def _upcycled(
        self, path: str, dtype: torch.dtype, rows: Iterable[TrainRow]
    ) -> tuple[Any, SciMindTokenizer]:
        tokenizer = SciMindTokenizer.from_base(path, self.options.modalities)
        routed, encoder = self.options.routing == "routed", self._encoder(tokenizer)
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
        return model, tokenizer


def _texts(row: TrainRow) -> Iterator[tuple[str, Mapping[str, str]]]:
    if isinstance(row, TrainPair):
        yield row.prompt, row.inputs
        yield row.target, {}
    elif hasattr(row, "text"):
        yield row.text, {}
    else:
        yield from ((text, {}) for _, text in row.turns)
