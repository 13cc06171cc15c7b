"""Measure everything on one GPU: `python -m benchmarks.gpu [PART...]`, eight minutes at most.

Each part has its time, each row is written as soon as it is there, and what a machine lacks is said and
skipped. `--device cpu --short` goes through the same code with tiny sizes.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks import report

from . import wheels

wheels.use()

import torch  # noqa: E402  what was brought along may be needed to import it

from harness import HarnessError  # noqa: E402

from .machine import Machine  # noqa: E402
from .parts import PARTS, Part  # noqa: E402
from .training import FORMULA  # noqa: E402


class TimeUp(Exception):
    """A part has used its time."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or cpu (default: cuda)")
    parser.add_argument("--short", action="store_true", help="tiny sizes, to see that everything works")
    parser.add_argument("--results", type=Path, default=report.RESULTS, metavar="DIR", help="where they go")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.parts if name not in PARTS]:
        parser.error(f"no part named {', '.join(unknown)}; there are {', '.join(PARTS)}")
    machine = Machine(torch.device(asked.device), asked.short, asked.results)
    if machine.device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no GPU here; --device cpu --short shows that the script works")
    for name in asked.parts or PARTS:
        measure(name, PARTS[name], machine)


def measure(name: str, part: Part, machine: Machine) -> None:
    """Measure a part inside its time, and write after each row what there is."""
    print(f"\n{part.title} ({part.seconds} s at most)", flush=True)
    rows: list[dict[str, Any]] = []
    try:
        with box(part.seconds):
            for what, work in part.measurements(machine):
                rows.append({"what": what, **attempt(work)})
                keep(name, part, rows, machine)
                print("  " + ", ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    except TimeUp:
        rows.append({"what": "the rest", "said": f"not measured: {part.seconds} s were over"})
    except (ImportError, HarnessError) as error:
        rows.append({"what": "all", "said": f"skipped: {error}"})
    keep(name, part, rows, machine)
    if "said" in rows[-1]:
        print("  " + rows[-1]["said"], flush=True)


def attempt(work: Any) -> dict[str, Any]:
    """Return what is measured, or a sentence on why it is not."""
    try:
        found: dict[str, Any] = work()
        return found
    except TimeUp:
        raise
    except Exception as error:  # noqa: BLE001  whatever a library or the device raises costs this row alone
        return {"said": f"not measured: {type(error).__name__}: {str(error).strip().splitlines()[0][:160]}"}


def keep(name: str, part: Part, rows: list[dict[str, Any]], machine: Machine) -> None:
    """Write the rows of a part, all with the columns of all."""
    columns = dict.fromkeys(chain.from_iterable(rows))
    report.keep(
        f"gpu-{name}",
        part.title,
        [{column: row.get(column, "-") for column in columns} for row in rows],
        command=f"python -m benchmarks.gpu {name}",
        method=part.method.replace("FORMULA", FORMULA) + (" Tiny sizes." if machine.short else ""),
        packages=("torch", "transformers"),
        folder=machine.results,
        device=torch.cuda.get_device_name(machine.device) if machine.device.type == "cuda" else "cpu",
    )


@contextmanager
def box(seconds: int) -> Iterator[None]:
    """End what is inside once its time is over."""

    def over(*_: Any) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    main()
