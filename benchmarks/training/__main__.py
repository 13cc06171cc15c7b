"""Run with `python -m benchmarks.training [PART...]`; about ten minutes on two cores."""

from __future__ import annotations

import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DS_ACCELERATOR", "cpu")

from benchmarks import report

REPEATS = 5
STRATEGIES = ("single process", "ddp", "fsdp", "zero1", "zero2", "zero3")


def peak_mib(name: str) -> float:
    """Peak memory of one contestant in a process of its own."""
    code = f"from benchmarks.training.contestants import peak; peak({name!r})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return float(done.stdout.split()[-1])


def launched(strategy: str) -> tuple[float, float]:
    """Wall and CPU seconds of ten small steps, imports and export included."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    alone = strategy == "single process"
    launcher = [] if alone else ["torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}", "-m"]
    environment = os.environ | {
        "BENCH_STRATEGY": "ddp" if alone else strategy,
        "BENCH_FOLDER": tempfile.mkdtemp(),
        "OMP_NUM_THREADS": "1",
    }
    before, begin = _children(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", *launcher, "benchmarks.training.task"],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin, _children() - before


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def speed() -> list[dict[str, object]]:
    from benchmarks.training.task import SHAPES

    return [row for shape in SHAPES for row in of_shape(shape)]


def of_shape(shape: str) -> list[dict[str, object]]:
    from benchmarks.training.contestants import CAUSAL_ONLY, CONTESTANTS, GROUPED

    names = [name for name in CONTESTANTS if shape == "SciMind" or name not in CAUSAL_ONLY]
    marks = {name: [] for name in names}
    for _ in range(REPEATS):
        for name in names:
            marks[name].append(CONTESTANTS[name](shape))
    plain = marks["plain loop, padded"]
    trainer, grouped = marks["transformers Trainer, padded"], marks[GROUPED]

    def ratio(name: str, others: list, value: str) -> float:
        pairs = zip(marks[name], others, strict=True)
        return statistics.median(getattr(a, value)() / getattr(b, value)() for a, b in pairs)

    return [
        {
            "shape": shape,
            "what": name,
            "CPU ms a step": 1000 * statistics.median(m.per_step() for m in found),
            "step / plain loop": ratio(name, plain, "per_step"),
            "tokens / CPU s": round(statistics.median(m.rate() for m in found)),
            "tokens / plain loop": ratio(name, plain, "rate"),
            "tokens / Trainer": ratio(name, trainer, "rate"),
            "tokens / Trainer, grouped": ratio(name, grouped, "rate"),
        }
        for name, found in marks.items()
    ]


def memory() -> list[dict[str, object]]:
    from benchmarks.training.contestants import CONTESTANTS

    return [{"what": name, "peak MiB": round(peak_mib(name))} for name in CONTESTANTS]


def launchers() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for strategy in STRATEGIES:
        wall, cpu = launched(strategy)
        processes = 1 if strategy == "single process" else 2
        rows.append({"what": strategy, "processes": processes, "wall s": wall, "CPU s": cpu})
    return rows


def losses() -> list[dict[str, object]]:
    from benchmarks.training.losses import rows

    return rows()


PACKAGES = ("torch", "transformers", "accelerate", "deepspeed", "trl")
PARTS = {
    "training": (
        speed,
        "Training speed on a CPU",
        "A Llama of the shape of SciMind's tiny preset (d 128, 4 layers) and a T5 of ada-T5's (d 128, 3 + 3 "
        "layers), rows of 10 to 250 tokens (mean 65), batches of 16 rows or 1280 tokens, fp32, one thread, "
        'AdamW, clipping. Grouped by length is `train_sampling_strategy="group_by_length"`. CPU seconds of '
        "one epoch of 600 rows without its first two steps, real tokens, of T5 those of the encoder, "
        f"without padding; medians of {REPEATS} interleaved rounds, ratios within a round. The plain loop "
        "has the very batches of `fit, padded`. No GPU was at hand, so MFU is not measured.",
    ),
    "training-memory": (
        memory,
        "Most memory held in training",
        "The contestants of `training`, each in a process of its own: resident memory at its peak, the "
        "imports of torch and transformers included.",
    ),
    "training-loss": (
        losses,
        "The loss of a step with a model's own logits and without",
        "Forward and backward of 16 rows of 128 tokens, of which 64 are learned (T5: 64 of the decoder), "
        "width 128, 2 layers, fp32, one thread; each in a process of its own. CPU milliseconds: medians of "
        "3 after one that warms up; MiB are the most resident memory above that of the model with its "
        "gradients. The differences of loss and gradient norm are relative. `harness.training` takes the way "
        "without logits from 32,000 words on.",
    ),
    "training-launchers": (
        launchers,
        "What two processes cost on one machine",
        "Ten steps of the same model over gloo, once each, imports, sharding and export included.",
    ),
}

if __name__ == "__main__":
    for topic in sys.argv[1:] or PARTS:
        measure, title, method = PARTS[topic]
        command = "python -m benchmarks.training"
        report.write(topic, title, measure(), command=command, method=method, packages=PACKAGES)
