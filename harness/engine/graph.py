"""Which stage of a chain goes on from which: the inputs of each, made before it or named on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.api.errors import UsageError, nearest
from harness.api.spec import TrainSpec
from harness.api.stage import StageEntry

BASE = "base"  # the weights that a stage goes on from
NONE = "none"  # names no input where a stage would take one by itself
HINTS = {
    BASE: "name a stage that runs before, or the folder of a training",
    "reward": "metric:NAME is a metric of the task; a name without a colon is a stage or a folder",
}


def inputs_of(train: Sequence[TrainSpec], entries: Sequence[StageEntry]) -> list[dict[str, str]]:
    """Return for each stage what its inputs are: the name of an earlier stage, or a path.

    A stage goes on from the one before it that leaves a model that answers. What else it needs it takes
    from the stage that makes it, where the chain has that one.
    """
    found = []
    for place, (stage, entry) in enumerate(zip(train, entries, strict=True)):
        earlier = {before.stage: entries[index] for index, before in enumerate(train[:place])}
        if stage.stage in earlier:
            raise UsageError(f"stage '{stage.stage}' stands twice in the chain")
        named = _named(stage, entry)
        wanted = _defaults(entry, earlier) | named
        found.append(
            {
                name: _source(stage.stage, name, source, list(earlier))
                for name, source in wanted.items()
                if source and source != NONE
            }
        )
    return found


def _defaults(entry: StageEntry, earlier: Mapping[str, StageEntry]) -> dict[str, str]:
    answering = [name for name, before in earlier.items() if before.answers]
    made = {name: maker for name, maker in entry.inputs.items() if maker in earlier}
    return {BASE: answering[-1] if answering else "", **made}


def _named(stage: TrainSpec, entry: StageEntry) -> dict[str, str]:
    """Return the inputs that the specification names; a reward without a colon is a stage or a checkpoint."""
    reward = stage.reward if isinstance(stage.reward, str) and ":" not in stage.reward else ""
    named = ({"reward": reward} if reward else {}) | dict(stage.inputs)
    known = (BASE, *entry.inputs)
    for name in named:
        if name not in known:
            raise UsageError(
                f"stage '{stage.stage}' has no input '{name}'", hint="it has: " + ", ".join(known)
            )
    return named


def _source(stage: str, name: str, source: str, earlier: Sequence[str]) -> str:
    if source in earlier or Path(source).exists():
        return source
    raise UsageError(
        f"input '{name}' of stage '{stage}' is '{source}', which is no stage before it and no checkpoint",
        hint=nearest(source, earlier) or HINTS.get(name, HINTS[BASE]),
    )
