"""Leaderboards: from predictions to tables that others can check.

    intake/    what people hand in, read safely; what may stand in a table, and in which
    board/     a row's numbers, computed here from its answers; intervals, tests, ranks; the folder of a board
    pages/     a table as Markdown, CSV, JSON, LaTeX and pages
    exchange/  rows in the forms of others, and others' results on a board
    publish/   where boards go; scoring every row anew
    compare.py  explain.py  claims.py    two runs, one row, a paper's cell
    verbs/     what `run-bench` calls

What a table needs of a task comes in as a `TaskView`: nothing here opens tasks or plugins.
"""

from harness import VerbEntry, hookimpl


@hookimpl
def harness_verbs() -> list[VerbEntry]:
    """Return the verbs around tables."""
    return [
        VerbEntry(
            "leaderboard",
            "build, verify and publish tables from runs and submissions",
            f"{__name__}.verbs.leaderboard:Leaderboard",
            examples=(
                "run-bench leaderboard --task toy",
                "run-bench leaderboard add answers.zip --board mine",
                "run-bench leaderboard verify --board mine --data FOLDER",
                "run-bench leaderboard export --format eee --organisation 'My lab'",
            ),
        ),
        VerbEntry(
            "compare",
            "test whether two runs differ",
            f"{__name__}.verbs.compare:Compare",
            examples=("run-bench compare runs/toy/toy/A runs/toy/toy/B",),
        ),
        VerbEntry(
            "explain",
            "follow one row from data to each metric's terms",
            f"{__name__}.verbs.explain:Explain",
            examples=("run-bench explain runs/toy/toy/A --id element-79 --page page",),
        ),
        VerbEntry(
            "card",
            "show a run: scores, health, command and its worst rows",
            f"{__name__}.verbs.card:Card",
            examples=("run-bench card runs/toy/toy/A --page page",),
        ),
        VerbEntry(
            "claims",
            "check a paper's numbers against the files they came from",
            f"{__name__}.verbs.claims:Claims",
            examples=("run-bench claims check --originals DIR",),
        ),
    ]
