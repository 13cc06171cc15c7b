"""Run the benchmarks and write their page: `python -m benchmarks [NAME...]`.

Without a name all run whose command needs nothing but the checkout; that takes hours on two cores.
`--page` writes benchmarks/README.md from what is stored. What has become slower is shown in red, with the
commits in between.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence

from benchmarks import page

RED, PLAIN = "\033[31m", "\033[0m"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as startup or decoding (default: all)")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page")
    asked = parser.parse_args(arguments)
    chosen = [c for c in page.commands() if not asked.names or name_of(c) in asked.names]
    if unknown := set(asked.names) - {name_of(command) for command in chosen}:
        known = ", ".join(dict.fromkeys(map(name_of, page.commands())))
        parser.error(f"nothing is stored of {', '.join(sorted(unknown))} that runs by itself; known: {known}")
    failed = [] if asked.page else [command for command in chosen if not ran(command)]
    worse = page.since_stored()
    page.PAGE.write_text(page.text(page.results(), worse), encoding="utf-8")
    for found in worse:
        line = (
            f"{found.topic}: {found.what}: {found.column} {found.stored:g} -> {found.now:g} ({found.commits})"
        )
        print(f"{RED}{line}{PLAIN}" if sys.stdout.isatty() else line)
    for command in failed:
        print(f"failed: {command}")
    return 1 if failed else 0


def name_of(command: str) -> str:
    """Return the benchmark that a command runs: `python -m benchmarks.NAME ...`."""
    return command.split()[2].split(".")[1]


def ran(command: str) -> bool:
    """Run a benchmark; one that fails ends no other."""
    print(f"\n{command}", flush=True)
    _, *rest = shlex.split(command)
    return subprocess.run([sys.executable, *rest], cwd=page.ROOT).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
