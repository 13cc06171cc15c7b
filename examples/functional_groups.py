"""functional-groups: choose the functional group of a molecule, after two solved questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness import Example, PromptFormat, Task, TaskEntry, TaskOptions, hookimpl

GROUPS = ("alcohol", "amine", "ketone", "nitrile")
MOLECULES = {
    "train": "CCO alcohol, CCN amine, CC(C)=O ketone, CC#N nitrile, CCCO alcohol, CCCN amine",
    "validation": "CCC(C)=O ketone, CCC#N nitrile",
    "test": "CC(C)O alcohol, CC(C)N amine, CCC(=O)CC ketone, CCCC#N nitrile, OC1CCCC1 alcohol",
}


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    return [TaskEntry("functional-groups", "name the group", f"{__name__}:FunctionalGroups", kind="choose")]


@dataclass(frozen=True, slots=True)
class TwoShots(TaskOptions):
    """The same options as every task has, with another number of solved questions before each."""

    shots: int = 2


class FunctionalGroups(Task):
    Options = TwoShots
    licence = "CC0-1.0"
    metrics = ("accuracy",)
    prompt_format = PromptFormat("functional-groups", "Which functional group has {smiles}?")

    def examples(self, split: str) -> Iterator[Example]:
        for number, line in enumerate(MOLECULES[split].split(", ")):
            smiles, group = line.split()
            yield Example(f"{split}-{number}", {"smiles": smiles}, (group,), choices=GROUPS)
