"""Leaderboards: from predictions to tables that others can check.

    submission.py  archive.py  foreign.py    what people hand in, read safely
    rules.py                                 what may stand in a table, and in which
    scored.py  health.py                     a row's numbers, computed here from its predictions
    ranking.py  board.py                     intervals, tests, rank ranges, the table as a value
    store.py  build.py  verify.py            the folder of a board, and what is done with it
    render.py  site.py  card.py              Markdown, CSV, JSON, LaTeX and pages
    history.py  publish.py                   the chain of what was published, and where it goes
    compare.py  explain.py  claims.py        two runs, one row, a paper's cell

What a table needs of a task comes in as a `TaskView`: nothing here opens tasks or plugins.
"""
