"""The program from Python: `harness.run`, `harness.score`, `harness.load_run`; the same code as the command.

import harness

result = harness.run(model="hf", checkpoint="./my-model", task="toy", limit=100)
result.scores["letter-accuracy"]
result.to_pandas()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api import DataError, Example, Pairs, Prediction, RunRecord, Score, UsageError

if TYPE_CHECKING:
    import pandas

    from harness.api import ReadyModel
    from harness.notebook import Drawn


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run: its record, and the folder that holds its answers."""

    record: RunRecord
    directory: Path

    @property
    def scores(self) -> dict[str, float | None]:
        """Return the value of each metric."""
        return {name: score["value"] for name, score in self.record.scores.items()}

    def rows(self) -> list[dict[str, Any]]:
        """Return each row with its prompt's inputs, references, answer and scores."""
        from harness.files.rows import read_rows

        return list(read_rows(self.directory / "predictions.jsonl"))

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a table, a column for each metric's score of the row."""
        import pandas

        rows = [row | row.pop("scores", {}) for row in self.rows()]
        return pandas.DataFrame(rows)

    def drawn(self, rows: int = 5, plugins: Sequence[str] = ()) -> Drawn:
        """Return the first rows for a notebook to show: asked, wanted, said, and drawn if the task draws."""
        from harness.notebook import drawn

        return drawn(self.record, self.rows()[:rows], plugins)

    def _repr_html_(self) -> str:
        """Show the scores as a table in a notebook."""
        from harness.notebook import scores

        return scores(self.record)


def run(
    *,
    model: str,
    task: str,
    checkpoint: str = "",
    preset: str = "",
    data: str = "",
    limit: int | None = None,
    seed: int | None = None,
    metrics: Sequence[str] = (),
    repeats: int | None = None,
    settings: Mapping[str, Any] | None = None,
    plugins: Sequence[str] = (),
    output: str | Path = "runs",
    progress: bool = False,
) -> Result:
    """Run one model on one task, or find it done, and return the result.

    `settings` are what `--set` sets; with `progress` a bar says how far it is, in a notebook too. What cannot
    be done is raised as one of the harness's errors.
    """
    # Here and below: the face of the package must not import the engine.
    from harness.engine.config import Asked, Setting, check_keys
    from harness.engine.matrix import plan
    from harness.engine.plugin_manager import load_plugins
    from harness.engine.prepared import Bench
    from harness.engine.progress import choose_progress
    from harness.engine.registry import Registry
    from harness.engine.runner import execute

    named = {
        "checkpoint": checkpoint,
        "preset": preset,
        "data.source": data,
        "data.limit": limit,
        "seed": seed,
        "metrics": tuple(metrics),
        "repeats": repeats,
    }
    asked = {key: value for key, value in named.items() if value not in ("", None, ())} | dict(settings or {})
    check_keys(asked, "the call")
    layer = {key: Setting(value, "call") for key, value in asked.items()}
    registry = Registry(load_plugins(plugins))
    cells = plan(registry, Asked(models=(model,), tasks=(task,), output=Path(output), layers=[layer]))
    if len(cells) != 1:
        names = ", ".join(cell.spec.task for cell in cells)
        raise UsageError(f"'{task}' is a group of {len(cells)} tasks", hint=f"run one at a time: {names}")
    bench = Bench(
        registry=registry,
        output=Path(output),
        progress=choose_progress(quiet=not progress),
        command=("harness.run",),
        local_plugins=tuple(plugins),
    )
    (outcome,) = execute(bench, cells)
    if outcome.error is not None:
        raise outcome.error
    assert outcome.record is not None
    assert outcome.directory is not None
    return Result(outcome.record, outcome.directory)


def open_model(
    model: str,
    *,
    checkpoint: str = "",
    preset: str = "",
    settings: Mapping[str, Any] | None = None,
    plugins: Sequence[str] = (),
) -> ReadyModel:
    """Open a model to be asked as often as there is something to ask; close its session when that is done.

    `settings` are what `--set` sets.
    """
    from harness.engine import opening
    from harness.engine.config import check_keys
    from harness.engine.plugin_manager import load_plugins
    from harness.engine.registry import Registry

    named = {"checkpoint": checkpoint, "preset": preset}
    asked = {key: value for key, value in named.items() if value} | dict(settings or {})
    check_keys(asked, "the call")
    return opening.open_model(Registry(load_plugins(plugins)), model, asked)


def score(
    predictions: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    metrics: Sequence[str],
    plugins: Sequence[str] = (),
) -> dict[str, Score]:
    """Score answers against one reference each, or several, with 95 % intervals over rows."""
    from harness.engine.plugin_manager import load_plugins
    from harness.engine.registry import Registry
    from harness.scoring.measure import measure, with_intervals

    if len(predictions) != len(references):
        raise UsageError(f"there are {len(predictions)} predictions and {len(references)} references")
    pairs = [
        (
            Example(str(n), {}, (wanted,) if isinstance(wanted, str) else tuple(wanted)),
            Prediction(str(n), said.strip(), said),
        )
        for n, (said, wanted) in enumerate(zip(predictions, references, strict=True))
    ]
    chosen = Registry(load_plugins(plugins)).load_metrics(metrics)
    return with_intervals(measure(Pairs(pairs), chosen))


def load_run(path: str | Path) -> Result:
    """Return a finished run from its folder."""
    from harness.engine.values import from_mapping
    from harness.files.finished import RECORD, read_record

    folder = Path(path)
    if not (folder / RECORD).exists():
        raise DataError(f"{folder} holds no finished run", hint=f"a run's folder has a {RECORD}")
    return Result(from_mapping(RunRecord, read_record(folder)), folder)
