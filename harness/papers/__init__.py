"""Papers as PDF files: read in the order of reading, searched for evidence, asked, and drawn with marks.

A PDF is a stranger's file, so a process of its own reads and draws it (`apart`). Importing this package
imports nothing heavy.
"""

from harness.api import VerbEntry, hookimpl


@hookimpl
def harness_verbs() -> list[VerbEntry]:
    """Return the verb that asks a paper."""
    return [
        VerbEntry(
            "ask",
            "ask a paper (PDF): the passages that answer, with their pages, and a model's answer from them",
            f"{__name__}.verb:Ask",
            requires=("pypdfium2",),
            examples=(
                'run-bench ask paper.pdf "Which data sets are used?"',
                'run-bench ask paper.pdf "Which data sets are used?" --model ./my-model --pages marked',
            ),
        )
    ]
