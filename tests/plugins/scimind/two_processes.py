"""One of the processes that `test_processes` starts: trains a SciMind whose rows differ in modality."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[3])
sys.path.insert(0, ROOT)

import torch  # noqa: E402

from harness import LaunchSpec, RunContext, RunSpec, TrainData, TrainPair, TrainSpec, training  # noqa: E402
from harness.engine.worker import leave  # noqa: E402
from harness.plugins.scimind.modeling import SciMindForCausalLM  # noqa: E402
from tests.plugins.scimind.conftest import config  # noqa: E402

# Every other row is text alone, so that one process may have no token for some experts.
ROWS = [[1, *range(3 + i % 5, 12), *([20 + i % 6, 30, 35] if i % 2 else [13, 14, 15]), 2] for i in range(16)]


def main(directory: Path, strategy: str) -> None:
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    launch = LaunchSpec("torchrun", processes=size, strategy=strategy) if size > 1 else LaunchSpec()
    spec = TrainSpec(
        max_steps=4, batch_size=4, learning_rate=5e-3, max_length=64, precision="fp32", launch=launch
    )
    run = RunContext(
        directory, RunSpec("scimind", "t", device="cpu"), rank=rank, world_size=size, local_rank=rank
    )
    torch.manual_seed(0)
    model = SciMindForCausalLM(config(routing="routed"))

    def encode(row: TrainPair) -> dict[str, list[int]]:
        ids = ROWS[int(row.prompt)]
        return {"input_ids": ids, "labels": ids}

    data = TrainData([TrainPair(str(number), "x") for number in range(len(ROWS))])
    training.fit(model, data, encode, spec, run)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
    leave(0)
