"""A PDF becomes paragraphs in the order of reading, each with what it is and where it stands."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import DataError
from harness.papers import reading
from harness.papers.characters import Piece
from harness.papers.columns import columns
from harness.papers.paper import Paper
from harness.papers.paragraphs import Body, blocks, settled
from harness.papers.reading import read
from tests.papers.made import Words, lines, pdf

FILL = "and on it goes so that the line is long enough for a column of some width in this test. "


@pytest.fixture(scope="module")
def paper(two_columns: bytes) -> Paper:
    return read(two_columns)


def texts(paper: Paper, kind: str) -> list[str]:
    return [one.text for one in paper.paragraphs if one.kind == kind]


def test_columns_are_read_one_after_the_other_and_a_paragraph_goes_on_in_the_next(paper):
    begun = [one.text.split(". ")[0] for one in paper.paragraphs if one.kind == "text"]
    assert begun[1:] == [
        "We read papers with two columns",
        "Papers are hard to read for a program",
        "A second paragraph is set in",
        "The corpus has 4,217 sentences of seven languages",
        "Our reader is right in 93.5 percent of all cases",
        "We thank our readers for their patience",
    ]
    parted = next(one for one in paper.paragraphs if one.text.startswith("A second"))
    assert "before it ends. the right column begins in the middle of a paragraph about" in parted.text
    assert [box.page for box in parted.boxes] == [1, 1]
    assert parted.boxes[0].right < parted.boxes[1].left


def test_a_hyphen_at_the_end_of_a_line_goes_unless_the_paper_writes_the_word_with_it(paper):
    everything = " ".join(one.text for one in paper.paragraphs)
    assert "of a paragraph about well-known" in everything  # known nowhere: put together
    assert "seven languages. A well-known corpus" in everything  # known with its hyphen: kept


def test_sections_are_named_with_those_above_them(paper):
    sections = {one.text.split(". ")[0]: one.section for one in paper.paragraphs}
    assert sections["We read papers with two columns"] == "Abstract"
    assert sections["The corpus has 4,217 sentences of seven languages"] == "1 Introduction › 1.1 Data"
    assert sections["Our reader is right in 93.5 percent of all cases"] == "2 Results"
    assert paper.title == "On the Reading of Small Papers"


def test_captions_tables_notes_and_references_stand_apart(paper):
    whole = "accuracy of four readers on pages with figures that run across both columns of a page."
    assert texts(paper, "caption") == [
        f"Figure 1: The {whole}",  # its last line is short, and no part of the left column
        "Table 1: How often readers are right.",
    ]
    assert texts(paper, "table") == ["Reader Right Wrong ours 93.5 6.5 theirs 81.0 19.0"]
    assert texts(paper, "note") == ["1 A note at the foot of the column, in small letters."]
    assert len(texts(paper, "reference")) == 1
    assert not any("How many sentences" in passage.text for passage in paper.passages())


def test_running_heads_page_numbers_and_what_is_written_upwards_are_left_out(paper):
    everything = " ".join(one.text for one in paper.paragraphs)
    assert "Journal of Small Things, vol" not in everything and "arXiv" not in everything
    assert not any(one.text in "12" for one in paper.paragraphs)


def test_a_box_is_where_the_words_are(paper):
    [box] = next(one for one in paper.paragraphs if one.text == "2 Results").boxes
    assert box.page == 2 and box.left == pytest.approx(60, abs=1)
    assert box.top < 130 < box.bottom < 136  # the base line is at 130
    assert paper.pages == ((612, 792), (612, 792))


def test_what_was_read_is_kept_whole_as_json(paper):
    assert Paper.from_json(paper.as_json()) == paper


def test_one_column_is_read_from_the_top_down_whatever_the_order_it_was_drawn_in():
    words = lines(60, 100, "The first. " + FILL * 3, wide=95) + lines(
        60, 200, "The second. " + FILL * 3, wide=95
    )
    paper = read(pdf(words[::-1]))
    assert [one.text[:10] for one in paper.paragraphs] == ["The first.", "The second"]


def test_a_line_that_did_not_fit_its_column_runs_across_no_page():
    left = [Words(60, 80 + 12 * row, f"{row:02} {FILL[:42]}") for row in range(20)]
    left[9] = left[9]._replace(
        text=f"09 {FILL[:62]}"
    )  # reaches over the gutter, and nothing stands beside it
    right = [Words(316, 80 + 12 * row, f"{row + 20} {FILL[:42]}") for row in range(20) if row != 9]
    centred = [Words(255, 40, "Anne Author, Bob Builder")]
    text = " ".join(one.text for one in read(pdf(centred + left + right)).paragraphs)
    found = [int(word) for word in text.split() if word.isdecimal()]
    assert text.startswith("Anne Author") and found == sorted(found) and len(found) == 39


def test_three_columns_are_three():
    columns = [lines(40 + 180 * place, 80, f"Column {place}. " + FILL * 6, wide=32) for place in range(3)]
    paper = read(pdf([words for row in zip(*columns, strict=False) for words in row]))
    text = " ".join(one.text for one in paper.paragraphs)
    places = [text.index(f"Column {place}.") for place in range(3)]
    assert places == sorted(places) and text.count("and on it goes so that the line is") >= 15


def test_lines_numbered_in_the_margin_of_a_draft_lose_their_numbers():
    words = lines(100, 80, FILL * 12, wide=80)
    numbers = [Words(40, word.top, str(7 + place), 7) for place, word in enumerate(words)]
    [one] = read(pdf([*words, *numbers])).paragraphs
    assert not any(char.isdigit() for char in one.text)
    assert one.boxes[0].left > 90


def test_a_page_that_is_turned_is_read_as_it_is_shown():
    upwards = [Words(100 + 12 * row, 700, FILL[:80], turned=True) for row in range(4)]
    paper = read(pdf(upwards, page="/Rotate 90"))
    assert paper.pages == ((792, 612),)
    [one] = paper.paragraphs
    assert one.text == " ".join([FILL[:80].strip()] * 4)
    assert one.boxes[0].top == pytest.approx(92, abs=1) and one.boxes[0].left == pytest.approx(92, abs=1)


def test_a_sentence_goes_on_below_a_formula_with_what_the_formula_says():
    words = [
        *lines(60, 80, FILL * 2 + "The reward of an action is", wide=80),
        Words(150, 140, "r = a + 2b - c"), Words(330, 140, "(1)"),
        *lines(60, 164, "where a and b are counted. " + FILL, wide=80),
        *lines(60, 200, "Another paragraph stands below. " + FILL, wide=80, indent=True),
    ]  # fmt: skip
    first, second = read(pdf(words)).paragraphs
    assert "The reward of an action is r = a + 2b - c (1) where a and b are counted." in first.text
    [box] = first.boxes
    assert box.top < 80 and 164 < box.bottom < second.boxes[0].top + 6


def test_numbers_in_text_begin_no_list_and_bullets_do():
    words = [
        *lines(60, 80, "There are three reasons for it: 1) the first of them is simple and", wide=95),
        *lines(60, 92, "2) the second follows. " + FILL, wide=95),
        *lines(60, 116, "\u2022 a point", wide=95),
        *lines(60, 128, "\u2022 another point", wide=95),
    ]
    assert len(read(pdf(words)).paragraphs) == 3


def test_small_capitals_head_a_section_and_letters_stand_below_roman_numbers():
    words = [
        Words(60, 80, "I. INTRODUCTION", 8),
        *lines(60, 100, FILL * 3, wide=95),
        Words(60, 170, "II. METHODS", 8),
        Words(60, 190, "A. Readers", 10, "italic"),
        *lines(60, 210, "It is so. " + FILL * 3, wide=95),
        Words(60, 300, "1 Footnotes begin with numbers too", 7, "italic"),
    ]
    paper = read(pdf(words))
    assert [one.section for one in paper.paragraphs if one.text.startswith("It is")] == [
        "II. METHODS › A. Readers"
    ]
    assert paper.paragraphs[-1].kind == "note"


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (pdf(), "has no page", ""),  # first: pdfium keeps the error of the file before
        (b"", "is empty", ""),
        (b"<html>not found</html>", "is no PDF", "begins with %PDF-"),
        (b"%PDF-1.7\n" + bytes(range(256)), "is broken", "qpdf"),
        (pdf([], trailer=""), "has no text: its one page is a picture", "ocrmypdf"),
        (pdf([Words(60, 80, FILL)], trailer="/Encrypt << /Filter /Standard /V 1 /R 2 /Length 40 /P -4 "
             f"/O <{'41' * 32}> /U <{'42' * 32}> >> /ID [<00> <00>]"), "is encrypted", "qpdf --decrypt"),
    ],
    ids=["no page", "empty", "html", "broken", "scan", "encrypted"],
)  # fmt: skip
def test_what_is_no_paper_is_refused_in_a_sentence(data, message, hint):
    with pytest.raises(DataError, match=message) as refused:
        read(data)
    assert hint in refused.value.hint


def test_a_pdf_cut_anywhere_is_read_or_refused(two_columns):
    for end in range(0, len(two_columns), len(two_columns) // 40):
        try:
            read(two_columns[:end])
        except DataError:
            continue


def test_too_many_pages_or_characters_are_no_paper(two_columns, monkeypatch):
    monkeypatch.setattr(reading, "MOST_CHARACTERS", 1000)
    with pytest.raises(DataError, match="more than 1,000 characters"):
        read(two_columns)
    monkeypatch.setattr(reading, "MOST_PAGES", 1)
    with pytest.raises(DataError, match="has 2 pages, and at most 1"):
        read(two_columns)


def piece(left: float, width: float, baseline: float, height: float, text: str) -> Piece:
    looks = Counter({"Times": len(text)}), Counter({height: len(text)})
    return Piece(1, left, left + width, baseline, height, text, *looks)


NUMBERS = st.floats(0, 700, width=16)
TEXTS = st.sampled_from(["alpha beta", "g", "of others that stand in it", "Figure 1: x", "2 And so on"])
PIECES = st.lists(st.builds(piece, NUMBERS, st.floats(1, 500), NUMBERS, st.floats(1, 40), TEXTS), max_size=60)


@settings(deadline=None)
@given(PIECES)
def test_wherever_words_stand_each_is_read_once(pieces):
    found = list(columns(pieces))
    read_once = [id(one) for column in found for line in column.lines for one in line.pieces]
    assert sorted(read_once) == sorted(map(id, pieces))
    body = Body(10, "Times")
    parted = [block for column in found for block in settled(list(blocks(column, body)))]
    lines_of_columns = [line for column in found for line in column.lines]
    assert [line for block in parted for line in block.lines] == lines_of_columns
