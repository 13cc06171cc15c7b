"""What a run is asked to do, as frozen values. Everything that can change a number is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """How a stage's processes come to be."""

    kind: str = "inline"  # inline | torchrun | deepspeed
    processes: int = 1
    nodes: int = 1
    strategy: str = "auto"  # auto | ddp | fsdp | zero1 | zero2 | zero3
    ds_config: str = ""  # a shipped name or a path
    offload: bool = False


@dataclass(frozen=True, slots=True)
class DataSpec:
    """Where rows come from and which of them are used."""

    source: str = "sample"  # sample | hub | a path
    revision: str = ""  # the commit of a hub data set; empty: the newest, whose commit the record keeps
    split: str = "test"
    train_split: str = "train"
    validation_split: str = "validation"
    limit: int | None = None  # rows that are scored
    train_limit: int | None = None  # rows that are learned from
    skip_bad_rows: bool = False
    reference_tokenizer: str = ""  # score against references as this tokenizer gives them back


@dataclass(frozen=True, slots=True)
class TrainSpec:
    """One training stage."""

    stage: str = "sft"  # pretrain | sft | what a plugin adds
    method: str = "full"  # full | lora | qlora
    base: str = ""  # weights to start from: a path or a hub id; empty: the preset's own
    tasks: tuple[str, ...] = ()  # learn from these tasks or groups instead of the run's own
    data: str = ""  # and from this source instead of the run's own
    max_steps: int | None = None
    epochs: float | None = None
    learning_rate: float = 1e-3
    schedule: str = "linear"  # linear | cosine | constant | warmup-decay
    warmup_steps: float = 0.0  # below 1: a share of all steps
    final_lr: float = 0.0  # as a share of learning_rate
    optimizer: str = "adamw"  # adamw | adam | muon | adamw8bit
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    max_grad_norm: float = 1.0
    batch_size: int = 8
    batch_tokens: int | None = None  # when set, a batch holds about this many tokens, not batch_size rows
    grad_accumulation: int = 1
    packing: str = "buckets"  # none | buckets | packed
    prompt_loss: bool = False
    max_length: int = 512
    precision: str = "auto"  # auto | fp32 | bf16 | fp16
    gradient_checkpointing: bool = False
    neftune_alpha: float = 0.0
    ema_decay: float = 0.0
    lora_r: int = 8
    lora_alpha: int = 16
    lora_dropout: float = 0.0
    lora_targets: tuple[str, ...] = ()
    lora_continue: bool = False  # go on with the base's adapter instead of merging it under a new one
    seed: int = 0
    save_every: int = 500  # steps
    keep: int = 2  # checkpoints kept beside the best
    eval_every: int | None = None  # steps
    eval_limit: int | None = None  # validation rows answered and scored at each; None: the loss alone
    select_metric: str = ""  # best-on-validation by this metric; empty: validation loss
    patience: int | None = None  # evaluations without a better one before stopping
    launch: LaunchSpec = field(default_factory=LaunchSpec)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GenerateSpec:
    """How text is generated."""

    decoder: str = "greedy"  # greedy | sampling | beam | contrastive
    max_new_tokens: int = 512
    min_new_tokens: int = 0
    num_beams: int = 1
    length_penalty: float = 1.0
    n_best: int = 1
    temperature: float = 1.0
    top_k: int = 0  # 0: all
    top_p: float = 1.0
    min_p: float = 0.0
    penalty_alpha: float = 0.6
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    constraint: str = ""  # "" | smiles
    batch_tokens: str = "auto"  # auto | a number of tokens
    deterministic: bool = False
    precision: str = "auto"  # auto | fp32 | bf16 | fp16
    processes: int = 1
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One model on one task, whole. `train` is a chain of stages; empty: use the checkpoint as it is."""

    model: str
    task: str
    train_tasks: tuple[str, ...] = ()  # tasks whose training rows are mixed; normally the task itself
    preset: str = ""
    data: DataSpec = field(default_factory=DataSpec)
    model_options: Mapping[str, Any] = field(default_factory=dict)
    task_options: Mapping[str, Any] = field(default_factory=dict)
    train: tuple[TrainSpec, ...] = ()
    generate: GenerateSpec = field(default_factory=GenerateSpec)
    checkpoint: str = ""
    device: str = "auto"  # auto | cpu | cuda | cuda:1
    metrics: tuple[str, ...] = ()  # empty: the task's own
    seed: int = 0
