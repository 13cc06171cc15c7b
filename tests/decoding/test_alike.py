"""Prompts that begin alike are found together, with how much they share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.decoding.beginnings import LEAST, alike

LONG, OTHER = list(range(100)), list(range(200, 300))


def prompts(*ids: list[int]) -> list[dict[str, list[int]]]:
    return [{"input_ids": one} for one in ids]


def test_prompts_of_two_exams_are_two_groups() -> None:
    found = alike(prompts([*LONG, 1], [*OTHER, 1], [*LONG, 2, 3], [*OTHER, 9], [5]))
    assert found == [([0, 2], 100), ([1, 3], 100), ([4], 0)]


def test_two_that_share_more_than_all_do_not_keep_the_others_from_what_all_share() -> None:
    assert alike(prompts([*LONG, 1, 2], [*LONG, 1, 3], [*LONG, 4])) == [([0, 1, 2], 100)]


def test_a_long_beginning_is_not_given_up_for_a_much_shorter_one() -> None:
    first, second = LONG[:70] + [0] * 200, LONG[:70] + [1] * 200
    found = alike(prompts([*first, 1], [*first, 2], [*second, 1], [*second, 2]))
    assert found == [([0, 1], 270), ([2, 3], 270)]


def test_a_prompt_that_is_all_beginning_leaves_its_last_token_to_be_read() -> None:
    assert alike(prompts(LONG, [*LONG, 7])) == [([0, 1], 99)]
    assert alike(prompts(LONG, LONG)) == [([0, 1], 99)]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 130), st.integers(0, 3)), max_size=12))
def test_each_prompt_is_in_one_group_and_begins_with_what_that_shares(
    made: list[tuple[int, int, int]],
) -> None:
    asked = prompts(*([start, *[start] * length, tail] for start, length, tail in made))
    found = alike(asked)
    assert sorted(place for places, _ in found for place in places) == list(range(len(asked)))
    for places, shared in found:
        ids = [asked[place]["input_ids"] for place in places]
        assert all(one[:shared] == ids[0][:shared] and len(one) > shared for one in ids)
        assert shared == 0 or (shared >= LEAST and len(places) > 1)
