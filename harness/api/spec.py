"""What a run is asked to do, as frozen values. Everything that can change a number is here.

What a setting may be and what depends on it stands on its field; `engine/values.py` refuses the rest, and
`engine/sameness.py` tells from it which runs are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any

from .bounds import ASKED, HOW, LEARNED, WHERE, OneOf, Range, Since

PRECISIONS = OneOf("auto", "fp32", "bf16", "fp16")
Count = Annotated[int, Range(least=1)]
Seed = Annotated[int, Range(least=0, below=2**63)]  # what torch and numpy both take
NotNegative = Annotated[float, Range(least=0)]
Positive = Annotated[float, Range(above=0)]
Share = Annotated[float, Range(least=0, most=1)]


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """How a stage's processes come to be."""

    kind: Annotated[str, OneOf("inline", "torchrun", "deepspeed")] = "inline"
    processes: Count = 1
    nodes: Count = 1
    strategy: Annotated[str, OneOf("auto", "ddp", "fsdp", "zero1", "zero2", "zero3")] = "auto"
    ds_config: str = ""  # a shipped name or a path
    offload: bool = False


@dataclass(frozen=True, slots=True)
class DataSpec:
    """Where rows come from and which of them are used."""

    source: Annotated[str, WHERE] = "sample"  # sample | hub | a path
    # the commit of a hub data set; empty: the newest, whose commit the record keeps
    revision: Annotated[str, WHERE] = ""
    split: Annotated[str, ASKED] = "test"
    train_split: Annotated[str, LEARNED] = "train"
    validation_split: Annotated[str, LEARNED] = "validation"
    limit: Annotated[int | None, Range(least=1), ASKED] = None  # rows that are scored
    train_limit: Annotated[int | None, Range(least=1), LEARNED] = None  # rows that are learned from
    skip_bad_rows: bool = False
    # NAME=COLUMN: what a file calls the columns that a task looks for; data.columns.NAME=COLUMN sets one
    columns: Annotated[tuple[str, ...], WHERE] = ()
    reference_tokenizer: Annotated[str, ASKED] = ""  # score against references as this tokenizer gives them

    @property
    def named(self) -> dict[str, str]:
        """What the file calls each column that a task looks for."""
        return dict(entry.partition("=")[::2] for entry in self.columns)


@dataclass(frozen=True, slots=True)
class TrainSpec:
    """One training stage."""

    stage: str = "sft"  # pretrain | sft | what a plugin adds
    method: Annotated[str, OneOf("full", "lora", "qlora")] = "full"
    base: Annotated[str, WHERE] = ""  # weights to start from: a path or a hub id; empty: the preset's own
    # what is taken from other stages, `base` among it: name -> an earlier stage, or a path
    inputs: Annotated[Mapping[str, str], WHERE] = field(default_factory=dict)
    # what answers earn: a stage or checkpoint, "metric:NAME", "module:function", or several with weights
    reward: str | Mapping[str, float] = ""
    tasks: tuple[str, ...] = ()  # learn from these tasks or groups instead of the run's own
    data: Annotated[str, WHERE] = ""  # and from this source instead of the run's own
    max_steps: Annotated[int | None, Range(least=1)] = None
    epochs: Annotated[float | None, Range(above=0)] = None
    learning_rate: Positive = 1e-3
    schedule: Annotated[str, OneOf("linear", "cosine", "constant", "warmup-decay")] = "linear"
    warmup_steps: NotNegative = 0.0  # below 1: a share of all steps
    final_lr: NotNegative = 0.0  # as a share of learning_rate
    optimizer: Annotated[str, OneOf("adamw", "adam", "muon", "adamw8bit")] = "adamw"
    weight_decay: NotNegative = 0.0
    betas: Annotated[tuple[float, float], Range(least=0, below=1)] = (0.9, 0.999)
    max_grad_norm: NotNegative = 1.0
    batch_size: Count = 8
    # when set, a batch holds about this many tokens, not batch_size rows
    batch_tokens: Annotated[int | None, Range(least=1)] = None
    grad_accumulation: Count = 1
    packing: Annotated[str, OneOf("none", "buckets", "packed")] = "buckets"
    prompt_loss: bool = False
    max_length: Count = 512
    precision: Annotated[str, PRECISIONS] = "auto"
    gradient_checkpointing: bool = False
    compile: Annotated[bool, Since(False)] = False  # by torch.compile; the first steps take a minute or so
    neftune_alpha: NotNegative = 0.0
    ema_decay: Annotated[float, Range(least=0, below=1)] = 0.0
    lora_r: Count = 8
    lora_alpha: Count = 16
    lora_dropout: Annotated[float, Range(least=0, below=1)] = 0.0
    lora_targets: tuple[str, ...] = ()
    lora_continue: bool = False  # go on with the base's adapter instead of merging it under a new one
    seed: Seed = 0
    save_every: Annotated[int, Range(least=1), HOW] = 500  # steps
    keep: Annotated[int, Range(least=1), HOW] = 2  # checkpoints kept beside the best
    log_every: Annotated[int, Range(least=0), HOW] = 0  # steps between two events; 0: about 200 in all
    tensorboard: Annotated[bool, HOW] = False  # also write TensorBoard's event files
    eval_every: Annotated[int | None, Range(least=1)] = None  # steps
    # validation rows answered and scored at each; None: the loss alone
    eval_limit: Annotated[int | None, Range(least=1)] = None
    select_metric: str = ""  # best-on-validation by this metric; empty: validation loss
    patience: Annotated[int | None, Range(least=1)] = None  # evaluations without a better one before stopping
    launch: Annotated[LaunchSpec, HOW] = field(default_factory=LaunchSpec)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rewards(self) -> dict[str, float]:
        """What answers earn, with weights: `metric:NAME`, `module:function`, or `reward`, a model."""
        if isinstance(self.reward, str):
            return {self.reward if ":" in self.reward else "reward": 1.0} if self.reward else {}
        full = {name: name if ":" in name or name == "reward" else f"metric:{name}" for name in self.reward}
        return {full[name]: float(weight) for name, weight in self.reward.items()}

    @property
    def earned_metrics(self) -> tuple[str, ...]:
        """The metrics that answers earn by."""
        return tuple(name.removeprefix("metric:") for name in self.rewards if name.startswith("metric:"))


@dataclass(frozen=True, slots=True)
class GenerateSpec:
    """How text is generated."""

    decoder: Annotated[str, OneOf("greedy", "sampling", "beam", "contrastive")] = "greedy"
    max_new_tokens: Count = 512
    min_new_tokens: Annotated[int, Range(least=0)] = 0
    num_beams: Count = 1
    length_penalty: float = 1.0
    n_best: Count = 1
    temperature: Positive = 1.0
    top_k: Annotated[int, Range(least=0)] = 0  # 0: all
    top_p: Annotated[float, Range(above=0, most=1)] = 1.0
    min_p: Share = 0.0
    penalty_alpha: Share = 0.6
    repetition_penalty: Positive = 1.0
    stop: tuple[str, ...] = ()
    reasoning: tuple[
        str, ...
    ] = ()  # the tags that thinking aloud stands between, such as <think> and </think>
    constraint: Annotated[str, OneOf("", "smiles")] = ""
    window: Annotated[int, Range(least=0)] = 0  # tokens of running text read at once; 0: the model's limit
    stride: Annotated[int, Range(least=0)] = 0  # tokens from one window to the next; 0: half a window
    batch_tokens: Annotated[str, HOW] = "auto"  # auto | a number of tokens
    deterministic: bool = False
    precision: Annotated[str, PRECISIONS] = "auto"
    processes: Annotated[int, Range(least=1), HOW] = 1
    seed: Seed = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def seed_of(self, request_id: str) -> int:
        """Return the seed of one request's draws, for a generator that takes one: no two draw alike."""
        drawn = sha256(f"{self.seed}/{request_id}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(drawn[:4], "big") >> 1


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One model on one task, whole. `train` is a chain of stages; empty: use the checkpoint as it is.

    `title` is what tables call the model: its name, and the weights where any will do.
    """

    model: str
    task: Annotated[str, ASKED]
    # tasks whose training rows are mixed; normally the task itself
    train_tasks: Annotated[tuple[str, ...], LEARNED] = ()
    preset: str = ""
    data: DataSpec = field(default_factory=DataSpec)
    model_options: Mapping[str, Any] = field(default_factory=dict)
    task_options: Mapping[str, Any] = field(default_factory=dict)
    train: Annotated[tuple[TrainSpec, ...], LEARNED] = ()
    generate: Annotated[GenerateSpec, ASKED] = field(default_factory=GenerateSpec)
    checkpoint: Annotated[str, WHERE] = ""
    device: str = "auto"  # auto | cpu | cuda | cuda:1
    metrics: Annotated[tuple[str, ...], ASKED] = ()  # empty: the task's own
    # answers to each row, drawn one by one: metrics are meaned over them, and pass@k and maj@k stand beside
    repeats: Annotated[int, Range(least=1), ASKED, Since(1)] = 1
    seed: Annotated[int, ASKED] = 0
    title: Annotated[str, WHERE] = ""
    # what people are told beside answers; None: what the model or the task says by itself, empty: nothing
    notice: Annotated[str | None, HOW] = None
