"""SciMind's tiny preset: what it reaches over seeds, and what its optimizer and fitted routers contribute.

    python -m benchmarks.scimind seeds           three seeds on the test split, each scored once
    python -m benchmarks.scimind optimizers      AdamW and Muon over learning rates, at equal time
    python -m benchmarks.scimind routers         a dense model made routed: by chance, and fitted

`seeds` runs the command that users run. `optimizers` compares the loss on the validation split, which the
preset selects by, after short trainings: AdamW gets as many more steps as it
takes them faster. `routers` trains a dense model and compares the loss on the answers of that split, right
after the model was cut into experts and after a short fine-tuning.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from benchmarks import report
from harness import TrainPair
from harness.plugins.scimind.modalities import MODALITIES
from harness.plugins.scimind.modeling import SciMindForCausalLM
from harness.plugins.scimind.records import RowEncoder
from harness.plugins.scimind.tokenizer import SciMindTokenizer
from harness.plugins.scimind.upcycle import CALIBRATION_ROWS, calibrate, fit_router, upcycle
from harness.tasks.lpm24.task import SmilesToText, TextToSmiles

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (0, 1, 2)
SHOWN = ("molecule-exact", "validity", "morgan", "maccs", "rdk", "bleu-2", "bleu-4", "rouge-l", "meteor")
RATES = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)
MUON_STEPS = 500
PROBE_STEPS, PROBES = 60, 3
EXPERTS, CHOSEN = 16, 4
DENSE_STEPS, TUNING_STEPS = 600, 50
TUNING_RATES = (5e-4, 2e-3)
NOISE = 4096


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("seeds", "optimizers", "routers"))
    parser.add_argument("--output", type=Path, help="keep the runs of seeds here")
    args = parser.parse_args()
    if args.part == "optimizers":
        optimizers()
    elif args.part == "routers":
        with tempfile.TemporaryDirectory() as folder:
            routers(Path(folder))
    elif args.output is not None:
        seeds(args.output)
    else:
        with tempfile.TemporaryDirectory() as folder:
            seeds(Path(folder))


def seeds(folder: Path) -> None:
    rows = []
    for seed in SEEDS:
        output = folder / f"seed-{seed}"
        before, start = cpu_of_children(), time.perf_counter()
        run_bench("--task", "lpm24", "--seed", str(seed), "--output", str(output))
        row: dict[str, Any] = {"seed": seed}
        row |= {name: 100 * value for name, value in scores(output) if name in SHOWN}
        row |= {"wall s": time.perf_counter() - start, "CPU s": cpu_of_children() - before}
        rows.append(row)
    columns = [name for name in rows[0] if name != "seed"]
    for label, reduce in (("mean", mean), ("spread", pstdev)):
        rows.append(
            {"seed": label, **{name: reduce([row[name] for row in rows[: len(SEEDS)]]) for name in columns}}
        )
    report.write(
        "scimind_tiny",
        "SciMind's tiny preset on the built-in sample of lpm24",
        rows,
        command="python -m benchmarks.scimind seeds",
        method=(
            "One model for both directions, from nothing, on synthetic rows; the whole command, baselines "
            "and scoring included. Selected by validation loss, the test split scored once a seed. "
            "Spread is the standard deviation over the seeds. Wall time counts only on a free machine."
        ),
        packages=("torch", "transformers", "rdkit"),
    )


def optimizers() -> None:
    speed = probe("muon", "adamw")
    steps = {"muon": MUON_STEPS, "adamw": round(MUON_STEPS * speed["adamw"] / speed["muon"])}
    rows = []
    for name in ("adamw", "muon"):
        for rate in RATES:
            log = train(name, rate, steps[name])
            rows.append(
                {
                    "optimizer": name,
                    "learning rate": rate,
                    "steps": steps[name],
                    "validation loss": validation_loss(log),
                }
            )
    report.write(
        "optimizers",
        "AdamW and Muon from nothing, at equal time",
        rows,
        command="python -m benchmarks.scimind optimizers",
        method=(
            "The tiny preset cut short, one seed, each optimizer with a whole linear schedule at each rate. "
            "With Muon, embeddings keep AdamW at the preset's rate. AdamW has more steps by the ratio of the "
            f"tokens a second, the best of {PROBES} trainings of {PROBE_STEPS} steps in turns before."
        ),
        packages=("torch", "transformers"),
    )


def routers(folder: Path) -> None:
    sizes = {"model.intermediate": 32 * EXPERTS, "train.prompt_loss": "false"}
    train("muon", 4e-3, DENSE_STEPS, folder / "dense", **sizes)
    [checkpoint] = (folder / "dense").rglob("checkpoint")
    rows = []
    for way, make in WAYS.items():
        weights = folder / way.replace(" ", "-")
        make(checkpoint).save_pretrained(weights)
        SciMindTokenizer.from_pretrained(checkpoint).save_pretrained(weights)
        row: dict[str, Any] = {"way": way}
        tuning = {"model.weights": weights, "train.prompt_loss": "false"}
        row["at once"] = validation_loss(train("adamw", 1e-12, 1, **tuning))
        for rate in TUNING_RATES:
            log = train("adamw", rate, TUNING_STEPS, **tuning)
            row[f"{TUNING_STEPS} steps at {rate:g}"] = validation_loss(log)
        rows.append(row)
    report.write(
        "routers",
        f"A dense model cut into {EXPERTS} experts, {CHOSEN} of them chosen",
        rows,
        command="python -m benchmarks.scimind routers",
        method=(
            f"The tiny preset with {32 * EXPERTS} neurons after {DENSE_STEPS} steps, then as it is, with "
            "experts chosen by their activations, or with routers that choose before them. Cells are losses "
            "on the answers of the validation split; one seed. A router fitted to noise has read normally "
            "distributed numbers in place of hidden states."
        ),
        packages=("torch", "transformers"),
    )


def cut(checkpoint: Path, routing: str) -> SciMindForCausalLM:
    """Cut the dense model into experts, of which every token gets equally many."""
    return upcycle(
        dense(checkpoint),
        experts=EXPERTS,
        routing=routing,
        experts_per_token=dict.fromkeys(MODALITIES, CHOSEN),
        modality_ranges=SciMindTokenizer.from_pretrained(checkpoint).modality_ranges,
    )


def dense(checkpoint: Path) -> LlamaForCausalLM:
    """Load a dense SciMind as the LLaMA that it is."""
    scimind = SciMindForCausalLM.from_pretrained(checkpoint)
    known = LlamaConfig().to_dict().keys() - {"model_type", "architectures", "transformers_version"}
    fields = {name: value for name, value in scimind.config.to_dict().items() if name in known}
    llama = LlamaForCausalLM(LlamaConfig(**fields))
    weights = {name: value for name, value in scimind.state_dict().items() if "expert_of_neuron" not in name}
    llama.load_state_dict(weights)
    return llama


def fitted_to_rows(checkpoint: Path) -> SciMindForCausalLM:
    """Fit the routers to training rows, as the plugin does."""
    model, encoder = cut(checkpoint, "routed"), RowEncoder(SciMindTokenizer.from_pretrained(checkpoint))
    pairs = (
        TrainPair(task.prompt(example), example.references[0], example.inputs)
        for task in (TextToSmiles(), SmilesToText())
        for example in islice(task.examples("train"), CALIBRATION_ROWS // 2)
    )
    calibrate(model, [encoder.row(pair)["input_ids"] for pair in pairs])
    return model


def fitted_to_noise(checkpoint: Path) -> SciMindForCausalLM:
    """Fit the routers to the weights alone."""
    model, generator = cut(checkpoint, "routed"), torch.Generator().manual_seed(0)
    for layer in model.model.layers:
        scale_H = layer.post_attention_layernorm.weight.detach()
        noise_TH = torch.randn(NOISE, len(scale_H), generator=generator) * scale_H
        fit_router(layer.mlp, noise_TH, torch.zeros(NOISE, dtype=torch.long))
    return model


WAYS: dict[str, Callable[[Path], PreTrainedModel]] = {
    "dense": SciMindForCausalLM.from_pretrained,
    "as_described": lambda checkpoint: cut(checkpoint, "as_described"),
    "routed by chance": lambda checkpoint: cut(checkpoint, "routed"),
    "routed, fitted to noise": fitted_to_noise,
    "routed, fitted to rows": fitted_to_rows,
}


def validation_loss(log: list[dict[str, Any]]) -> float:
    """Return the last loss on the validation split."""
    return float([row["validation"]["loss"] for row in log if "validation" in row][-1])


def probe(*optimizers: str) -> dict[str, float]:
    """Return the tokens a second that each optimizer trains on when nothing holds it up."""
    best = dict.fromkeys(optimizers, 0.0)
    for _ in range(PROBES):
        for name in optimizers:
            rates = [row["tokens_per_second"] for row in train(name, 4e-3, PROBE_STEPS) if "loss" in row]
            best[name] = max(best[name], rates[-1])
    return best


def train(
    optimizer: str, rate: float, steps: int, output: Path | None = None, **changes: Any
) -> list[dict[str, Any]]:
    settings: dict[str, Any] = {
        "train.optimizer": optimizer,
        "train.learning_rate": rate,
        "train.eval_every": steps,
        "train.save_every": steps,
        **changes,
    }
    if optimizer != "muon":
        settings["train.options.rest_learning_rate"] = rate
    sets = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    with tempfile.TemporaryDirectory() as folder:
        kept = str(output or folder)
        run_bench("train", "--task", "lpm24", "--max-steps", str(steps), *sets, "--output", kept)
        [path] = Path(kept).rglob("train_log.jsonl")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run_bench(*arguments: str) -> None:
    verb = ["train"] if arguments[0] == "train" else []
    rest = arguments[len(verb) :]
    command = [sys.executable, str(ROOT / "run_bench.py"), *verb, "--model", "scimind", *rest, "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)


def scores(output: Path) -> Iterator[tuple[str, float]]:
    for path in output.glob("lpm24/*/scimind/*/record.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        yield from ((name, score["value"]) for name, score in record["scores"].items())


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
