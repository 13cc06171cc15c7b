"""This commit against an earlier one: processes of two checkouts in turns, the same work in each."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPEATS = 2
ASK = """
import json, statistics, sys, time
from benchmarks.decoding import speed
from benchmarks.decoding.workload import tokenizer
words, taken = tokenizer(), {}
for work in speed.works():
    speed.harness(work, words, "auto")
    seconds = []
    for _ in range(int(sys.argv[1])):
        started = time.process_time()
        speed.harness(work, words, "auto")
        seconds.append(time.process_time() - started)
    taken[work.name] = statistics.median(seconds)
print(json.dumps(taken))
"""


def rows(before: Path, after: Path, rounds: int) -> list[dict[str, Any]]:
    """Return one row a workload."""
    pairs = measured(before, after, rounds)
    return [
        {
            "workload": name,
            "before, CPU s": round(statistics.median(old[name] for old, _ in pairs), 3),
            "after, CPU s": round(statistics.median(new[name] for _, new in pairs), 3),
            "after / before": round(statistics.median(new[name] / old[name] for old, new in pairs), 3),
            "least and most": f"{min(new[name] / old[name] for old, new in pairs):.2f} to "
            f"{max(new[name] / old[name] for old, new in pairs):.2f}",
        }
        for name in pairs[0][0]
    ]


def measured(before: Path, after: Path, rounds: int) -> list[list[dict[str, float]]]:
    """Return the seconds of pairs; those that an earlier call took are kept beside temporary files."""
    kept = Path(tempfile.gettempdir()) / f"decoding-{subject(before)[:7]}-{subject(after)[:7]}.jsonl"
    kept.touch()
    while len(pairs := [json.loads(line) for line in kept.read_text().splitlines()]) < rounds:
        pair = [seconds(before), seconds(after)]  # in turns, as the machine's mood is
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(pair) + "\n")
    return pairs


def seconds(checkout: Path) -> dict[str, float]:
    """Do the work with the code of a checkout, which `-c` finds in the folder it starts in."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(REPEATS)], cwd=checkout, check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def subject(checkout: Path) -> str:
    """Return the hash and the date of a checkout's commit."""
    done = subprocess.run(
        ["git", "log", "-1", "--format=%h of %as"], cwd=checkout, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
