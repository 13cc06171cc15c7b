"""qasper: questions about scientific papers, with evidence that annotators marked or a retriever found."""

from harness import TaskEntry, hookimpl

SETTINGS = {
    "gold": ("Gold", "with the evidence that annotators marked"),
    "recalled": ("Recalled", "with the passages that a retriever finds"),
    "none": ("Unaided", "without any evidence"),
    "paper": ("Whole", "with the whole paper"),
}


@hookimpl
def harness_tasks() -> list[TaskEntry]:
    """Return the settings, and the group of those that are read side by side."""
    tags = ("papers", "question-answering", "generation")
    members = tuple(f"qasper/{name}" for name in ("gold", "recalled", "none"))
    settings = [
        TaskEntry(
            f"qasper/{name}",
            f"QASPER: answer a question about a paper {how}",
            f"{__name__}.task:{kind}",
            tags=tags,
        )
        for name, (kind, how) in SETTINGS.items()
    ]
    others = [
        TaskEntry(
            "qasper/evidence",
            "QASPER: find the paragraphs that answer a question",
            f"{__name__}.task:Evidence",
            tags=(*tags, "retrieval"),
        ),
        TaskEntry(
            "qasper/yes-no",
            "QASPER's yes/no questions with their evidence, as a choice",
            f"{__name__}.task:YesNo",
            kind="choose",
            tags=tags,
        ),
    ]
    group = TaskEntry(
        "qasper", "QASPER with gold, recalled and no evidence, side by side", members=members, tags=tags
    )
    return [group, *settings, *others]
