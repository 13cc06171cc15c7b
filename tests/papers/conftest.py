"""A paper in two columns, with what papers have around their text."""

from __future__ import annotations

import pytest

from tests.papers.made import Words, lines, pdf

pytest.importorskip("pypdfium2")

LEFT, RIGHT = 60, 316
FIGURE = "Figure 1: The accuracy of four readers on pages with figures that run across both"
FILL = "and so we go on with this sentence so that the column has some length to it before it ends. "


def first_page() -> list[Words]:
    return [
        Words(60, 30, "Journal of Small Things, vol. 3"),
        Words(150, 80, "On the Reading of Small Papers", 18, "bold"),
        Words(240, 100, "A. Writer and B. Writer"),
        Words(LEFT, 140, "Abstract", 11, "bold"),
        *lines(LEFT, 156, "We read papers with two columns. " + FILL * 2),
        Words(LEFT, 240, "1 Introduction", 12, "bold"),
        *lines(LEFT, 258, "Papers are hard to read for a program. " + FILL * 2),
        *lines(LEFT, 330, "A second paragraph is set in. " + FILL * 3, indent=True),
        Words(LEFT, 700, "1 A note at the foot of the column, in small letters.", 8),
        *lines(RIGHT, 140, "the right column begins in the middle of a para-", wide=60),
        *lines(RIGHT, 152, "graph about well-known gutters. " + FILL * 3),
        Words(RIGHT, 260, "1.1 Data", 11, "bold"),
        *lines(RIGHT, 278, "The corpus has 4,217 sentences of seven lan-", wide=60),
        *lines(RIGHT, 290, "guages. A well-", wide=60),
        *lines(RIGHT, 302, "known corpus is larger. " + FILL * 2),
        Words(300, 760, "1"),
    ]


def second_page() -> list[Words]:
    return [
        Words(60, 30, "Journal of Small Things, vol. 3"),
        *lines(LEFT, 80, FIGURE, wide=110),
        Words(LEFT, 92, "columns of a page."),
        Words(LEFT, 130, "2 Results", 12, "bold"),
        *lines(LEFT, 148, "Our reader is right in 93.5 percent of all cases. " + FILL * 4),
        Words(RIGHT, 130, "Reader"), Words(RIGHT + 80, 130, "Right"), Words(RIGHT + 140, 130, "Wrong"),
        Words(RIGHT, 142, "ours"), Words(RIGHT + 80, 142, "93.5"), Words(RIGHT + 140, 142, "6.5"),
        Words(RIGHT, 154, "theirs"), Words(RIGHT + 80, 154, "81.0"), Words(RIGHT + 140, 154, "19.0"),
        Words(RIGHT, 174, "Table 1: How often readers are right.", 9),
        *lines(RIGHT, 200, "We thank our readers for their patience. " + FILL * 3),
        Words(RIGHT, 300, "References", 12, "bold"),
        *lines(RIGHT, 318, "[1] A. Writer. 2019. How many sentences has a corpus? Journal of Small Things."),
        Words(300, 760, "2"),
        Words(20, 500, "arXiv:1234.5678v1 [cs.CL] 1 Jan 2026", 16, turned=True),
    ]  # fmt: skip


@pytest.fixture(scope="session")
def two_columns() -> bytes:
    return pdf(first_page(), second_page())
