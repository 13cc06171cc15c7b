"""A plugin whose training tells how it does, and whose cells can fall; sweeps written into a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from harness.sweep.file import Sweep, read_sweep

CLIMB = """
    import json, os, signal, time
    from dataclasses import dataclass

    from harness import Answers, Checkpoint, ModelEntry, ModelPlugin, hookimpl


    @dataclass(frozen=True, slots=True)
    class Options:
        speed: float = 1.0
        pause: float = 0.0
        falls: str = ""
        once: bool = False


    class Climb(ModelPlugin):
        Options = Options

        def train(self, data, spec, run):
            state = run.directory / "state.json"
            step = json.loads(state.read_text()) if state.exists() else 0
            run.event("began", step=step)
            while step < spec.max_steps:
                step += 1
                if spec.eval_every and step % spec.eval_every == 0:
                    state.write_text(json.dumps(step))
                    run.event("validation", step=step, loss=1 / (step * self.options.speed))
                time.sleep(self.options.pause)
            (run.directory / "checkpoint").mkdir(exist_ok=True)
            return Checkpoint(run.directory / "checkpoint", step=step)

        def open(self, checkpoint, run):
            fallen = run.directory / "fallen"
            if self.options.falls and not fallen.exists():
                if self.options.once:
                    fallen.touch()
                os.kill(os.getpid(), getattr(signal, self.options.falls))
            return Answers(lambda request: request.prompt)


    @hookimpl
    def harness_models():
        return [ModelEntry("climb", "climbs", f"{__name__}:Climb")]
"""


@pytest.fixture
def climb(write_plugin: Callable[..., Path]) -> Path:
    """Return a plugin with a model that says how it climbs."""
    return write_plugin(CLIMB, "climb")


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Sweep]:
    """Return a function that writes a sweep's file and reads it."""

    def write(text: str, **given: Any) -> Sweep:
        path = tmp_path / "sweep.toml"
        path.write_text(dedent(text), encoding="utf-8")
        return read_sweep(path, {}, **given)

    return write
