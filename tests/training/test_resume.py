"""No work is lost: a training that dies goes on to the same curve and the same bytes."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .killed import STAGES, Result, killed_run, result, train


@pytest.fixture(scope="module", params=sorted(STAGES))
def undisturbed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Result]:
    directory = tmp_path_factory.mktemp(request.param)
    train(directory, request.param)
    return request.param, result(directory)


def finish(directory: Path, stage: str) -> Result:
    train(directory, stage)
    return result(directory)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moment=st.integers(1, 10))
def test_killed_at_any_step_it_ends_in_the_same_bytes(undisturbed: tuple[str, Result], moment: int) -> None:
    stage, expected = undisturbed
    with tempfile.TemporaryDirectory() as folder:
        assert killed_run(Path(folder), stage, moment, "step") == -signal.SIGKILL
        assert finish(Path(folder), stage) == expected


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moment=st.integers(1, 40))
def test_killed_inside_a_save_it_ends_in_the_same_bytes(undisturbed: tuple[str, Result], moment: int) -> None:
    stage, expected = undisturbed
    with tempfile.TemporaryDirectory() as folder:
        assert killed_run(Path(folder), stage, moment, "write") in (0, -signal.SIGKILL)
        assert finish(Path(folder), stage) == expected


@pytest.mark.slow  # the two tests above draw from these moments
@pytest.mark.parametrize("how, moments", [("step", range(1, 11)), ("write", range(1, 41))])
def test_killed_at_every_moment_it_ends_in_the_same_bytes(
    undisturbed: tuple[str, Result], how: str, moments: range, tmp_path: Path
) -> None:
    stage, expected = undisturbed
    for moment in moments:
        folder = tmp_path / str(moment)
        folder.mkdir()
        assert killed_run(folder, stage, moment, how) in (0, -signal.SIGKILL)
        assert finish(folder, stage) == expected, moment


@pytest.mark.parametrize("undisturbed", ["ppo"], indirect=True)
@pytest.mark.parametrize("moment", [2, 7, 11])  # in the first, second and third rollout of four prompts
def test_killed_while_it_answers_it_ends_in_the_same_bytes(
    undisturbed: tuple[str, Result], moment: int, tmp_path: Path
) -> None:
    stage, expected = undisturbed
    assert killed_run(tmp_path, stage, moment, "answer") == -signal.SIGKILL
    assert finish(tmp_path, stage) == expected


def test_killed_twice_it_ends_in_the_same_bytes(undisturbed: tuple[str, Result], tmp_path: Path) -> None:
    stage, expected = undisturbed
    assert killed_run(tmp_path, stage, 5, "step") == -signal.SIGKILL
    assert killed_run(tmp_path, stage, 3, "step") == -signal.SIGKILL
    assert finish(tmp_path, stage) == expected


def test_asked_to_stop_it_saves_first(undisturbed: tuple[str, Result], tmp_path: Path) -> None:
    stage, expected = undisturbed
    assert killed_run(tmp_path, stage, 5, "ask") == 1
    saved = [int(path.name.removeprefix("step-")) for path in (tmp_path / "state").glob("step-*")]
    assert max(saved) == 6  # asked during step 5's report, saved after the step that was under way
    assert finish(tmp_path, stage) == expected
