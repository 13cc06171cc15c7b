"""Which trainings and runs are the same: the one definition, for keys, series and finished work.

The same are those whose results cannot differ. Each setting says on its field whether it changes what is
learned, what is asked, or only how or where it is computed (`harness/api/bounds.py`). What stands for
something on disk, such as weights or a data set, is known by its content and not by its name. The code counts
where it can change the result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import harness
from harness.api.bounds import ASKED, LEARNED, Effect, what_counts
from harness.api.spec import RunSpec
from harness.files.json_files import digest

from .known import Known

# The rooms whose code can change what is learned, what is answered, and what the answers are worth.
LEARNING = ("data", "chem", "retrieval", "language_models", "training", "decoding")
ANSWERING = ("data", "chem", "retrieval", "language_models", "decoding")
SCORING = ("data", "chem", "metrics", "scoring")


@cache
def code_of(*rooms: str) -> str:
    """Hash the harness's own code in some rooms; installed, its version stands for it."""
    home = Path(harness.__file__).resolve().parent
    if not (home.parent / "run_bench.py").is_file():
        return ""
    total = hashlib.sha256()
    for file in sorted(file for room in rooms for file in (home / room).rglob("*.py")):
        total.update(file.relative_to(home).as_posix().encode() + b"\0" + file.read_bytes())
    return total.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a specification is, told by its settings and by the content of what they name.

    `files` are the model's options that name files.
    """

    spec: RunSpec
    files: tuple[str, ...]
    known: Known

    def training_key(
        self, data_digest: str, inputs: Mapping[str, str], code: Mapping[str, str], *, asks: bool = False
    ) -> str:
        """Identify the result of the spec's one stage: everything that can change the weights.

        `inputs` are the keys of the stages that it stands on, or the content of the files; `asks` tells
        whether it learns from answers that it samples.
        """
        (stage,) = self.spec.train
        # How answers are generated matters to a training only where they are scored.
        scored = {"generate": what_counts(self.spec.generate), "task": dict(self.spec.task_options)}
        asked = self._counted(ASKED) | {
            "base": self.known.content(stage.base),
            "scored": scored if asks or stage.select_metric or stage.eval_limit else {},
        }
        return digest([asked, data_digest, dict(inputs), dict(code)])[:8]

    def run_key(self, rows: Mapping[str, Any], weights: str, code: Mapping[str, str]) -> str:
        """Identify a run: everything that can change a completion or a score."""
        return digest([self._counted(LEARNED), dict(rows), weights, dict(code)])[:8]

    def series(self, rows: Mapping[str, Any], weights: str) -> str:
        """Identify the runs that differ in their seeds alone; `weights` are those that were given, if any."""
        bases = [self.known.content(stage.base) for stage in self.spec.train]
        return digest([_unseeded(self._counted()), bases, dict(rows), weights])[:16]

    def _counted(self, *without: Effect) -> dict[str, Any]:
        options = {
            name: self.known.content(str(value)) if name in self.files else value
            for name, value in self.spec.model_options.items()
        }
        return what_counts(self.spec, *without) | {"model_options": options}


def _unseeded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _unseeded(item) for key, item in value.items() if key != "seed"}
    return [_unseeded(item) for item in value] if isinstance(value, list | tuple) else value
