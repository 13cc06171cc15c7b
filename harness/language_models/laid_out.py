"""The template that weights were trained with, kept beside them so that no other is used in silence."""

from __future__ import annotations

import json
from pathlib import Path

from harness.api import Document, RunContext, StageEntry, UsageError

from .coding import CausalCoder, Coder
from .templates import Template

FILE = "laid_out_by.json"


def learned(coder: Coder, stage: StageEntry | None) -> Template | None:
    """Return the template that a stage's rows are laid out by; what learns a corpus holds to none."""
    plain = stage is not None and Document in stage.rows
    return coder.template if isinstance(coder, CausalCoder) and not plain else None


def keep(folder: Path, template: Template | None) -> None:
    """Write down what the weights of a folder were trained with."""
    if template is not None:
        said = {"template": template.name, "digest": template.digest}
        (folder / FILE).write_text(json.dumps(said) + "\n", encoding="utf-8")


def check(folder: Path, coder: Coder, run: RunContext) -> None:
    """Refuse to ask weights with another template than they were trained with, unless the run allows it."""
    place = folder / FILE
    if run.other_prompt or not isinstance(coder, CausalCoder) or not place.is_file():
        return
    was, now = json.loads(place.read_text(encoding="utf-8")), coder.template
    if was["digest"] == now.digest:
        return
    other = was["template"] != now.name
    raise UsageError(
        f"{folder} was trained with the chat template '{was['template']}'"
        + (f", not '{now.name}'" if other else " as it was then; it lays out otherwise now"),
        hint=(f"--set model.template={was['template']}" if other else "train again")
        + ", or let a run ask all the same with --other-prompt",
    )
