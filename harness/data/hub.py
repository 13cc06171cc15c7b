"""Files of a data set on the Hugging Face hub, fetched only when `--data hub` asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from harness import DataError, MissingDependency

from .split_files import is_data


@dataclass(frozen=True, slots=True)
class HubFiles:
    """The files of one split: a data set's repository and a pattern of paths in it."""

    repository: str
    pattern: str

    @property
    def page(self) -> str:
        """The address where a person can download the files."""
        return f"https://huggingface.co/datasets/{self.repository}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """Files on this machine, and the commit they are of."""

    files: Sequence[Path]
    commit: str


def fetch(wanted: HubFiles, split: str, revision: str = "") -> Fetched:
    """Return the files of a split at a revision, from the hub's cache where they are in it already."""
    try:
        # optional: only hub data needs it
        from huggingface_hub import constants, snapshot_download
    except ImportError as error:
        raise MissingDependency(
            "--data hub needs huggingface_hub", hint="pip install huggingface_hub"
        ) from error
    try:
        folder = Path(
            snapshot_download(
                wanted.repository,
                repo_type="dataset",
                revision=revision or None,
                allow_patterns=[wanted.pattern],
                local_files_only=constants.HF_HUB_OFFLINE,  # versions before 2 ask for the list of files else
            )
        )
    except Exception as error:  # the hub's client raises a dozen kinds; each means that the file is not here
        raise DataError(
            f"split '{split}' of {wanted.repository} ({wanted.pattern}) is not in {constants.HF_HUB_CACHE}"
            f" and cannot be fetched: {_first_line(error)}",
            hint=f"download {wanted.pattern} from {wanted.page} and give its folder: --data FOLDER",
        ) from error
    files = sorted(
        path
        for path in folder.rglob("*")
        if is_data(path) and fnmatch(path.relative_to(folder).as_posix(), wanted.pattern)
    )
    if not files:
        raise DataError(
            f"{wanted.repository} at {folder.name} has no {wanted.pattern} for split '{split}'",
            hint=f"look at {wanted.page} and give the downloaded folder: --data FOLDER",
        )
    return Fetched(files, folder.name)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
