"""What `leaderboard` takes about the board and about answers."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from harness.scoring.arguments import add_data_arguments

from ..pages import forms

DEFAULT_BOARD = "boards"
SHIPPED = "@published"  # read, never written: its own folder is named by its path


def add_board_arguments(parser: ArgumentParser) -> None:
    """Say where a board is and what is written of it."""
    group = parser.add_argument_group("board")
    group.add_argument(
        "--board",
        default=DEFAULT_BOARD,
        metavar="DIR",
        help="the board's folder (default: %(default)s), or @published for the shipped one",
    )
    group.add_argument("--task", default="", metavar="A,B", help="only these tasks or groups")
    group.add_argument(
        "--runs", type=Path, metavar="DIR", help="finished runs that build takes in (default: runs)"
    )
    add_data_arguments(group)
    group.add_argument(
        "--format",
        default=",".join(forms.ALL),
        metavar="A,B",
        help="forms that build and publish write, or none (default: %(default)s)",
    )
    group.add_argument(
        "--publish",
        metavar="TO",
        help="after building: a folder, git:REPOSITORY, hub:dataset:OWNER/NAME, hub:space:OWNER/NAME",
    )
    group.add_argument(
        "--dry-run", action="store_true", help="with --publish: say what would be sent, send nothing"
    )


def add_answer_arguments(parser: ArgumentParser) -> None:
    """Say what answers do not say of themselves."""
    group = parser.add_argument_group("answers")
    group.add_argument("--name", default="", help="the row's name, for bare answers and runs")
    group.add_argument("--split", default="test", help="the split that bare answers belong to")
    group.add_argument(
        "--form",
        default="",
        help="the form of bare answers: lines, molt5, jsonl, lm-eval, inspect, helm (default: as it begins)",
    )
    group.add_argument(
        "--reproduced-by", type=Path, metavar="RUN", help="a run here that gave the same answers"
    )
    group.add_argument(
        "--replaces", default="", metavar="ROW", help="the row of the same submitter whose place it takes"
    )
    group.add_argument("--reason", default="", metavar="TEXT", help="why a row is withdrawn")
    group.add_argument(
        "--originals",
        type=Path,
        metavar="DIR",
        help="where originals.json finds the answers that a board does not keep",
    )
    group.add_argument(
        "--output", type=Path, metavar="DIR", help="where build, pack, or history NUMBER, writes"
    )
