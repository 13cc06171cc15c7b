"""Texts that nearly repeat others, against plain Jaccard similarity."""

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.near_duplicates import THRESHOLD, WORDS, near_duplicates

TEXT = "The molecule is a long chain alcohol that is found in the leaves of several plants and in beeswax."


def test_a_changed_word_in_a_long_caption_is_a_near_duplicate():
    words = (TEXT * 4).split()
    changed = [*words[:-1], "honey"]
    assert near_duplicates([" ".join(words)], [" ".join(changed), "Quite another text."]) == {0}


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text("ab c", max_size=40), max_size=8),
    st.lists(st.text("ab c", max_size=40), min_size=1, max_size=8),
)
def test_near_duplicates_agree_with_plain_jaccard_where_captions_are_equal(train, rows):
    equal = {i for i, text in enumerate(rows) if text.split() in [other.split() for other in train]}
    assert equal <= near_duplicates(train, rows)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_no_near_duplicate_is_below_the_threshold(data):
    word = st.sampled_from("alpha beta gamma delta".split())
    texts = data.draw(st.lists(st.lists(word, min_size=9, max_size=20), min_size=2, max_size=10))
    found = near_duplicates([" ".join(t) for t in texts[1:]], [" ".join(texts[0])])
    grams = [{tuple(t[i : i + WORDS]) for i in range(len(t) - WORDS + 1)} for t in texts]
    best = max(len(grams[0] & g) / len(grams[0] | g) for g in grams[1:])
    assert bool(found) <= (best >= THRESHOLD)
