"""Where a command's wall time goes: its main thread looked at every few milliseconds, drawn as a flame graph.

    python -m benchmarks.flame TOPIC -- --model scimind --task lpm24 --output runs/flame

What follows the dashes are the arguments of `run_bench.py`. The picture is `results/TOPIC.svg`, its widths
are wall seconds. The table beside it counts each moment for the deepest function of the project.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from types import FrameType

from benchmarks import report

ROOT = Path(__file__).resolve().parents[1]
PAUSE = 0.01  # seconds between two looks
WIDTH, LINE, LETTER = 1600, 17, 6.6  # pixels
LEAST = 0.002  # of the whole: what is narrower is not drawn
SHOWN = 20  # functions in the table
Stack = tuple[str, ...]
Box = tuple[str, int, int, int]  # name, depth, where it begins, how wide it is


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flame", description=__doc__)
    parser.add_argument("topic", help="what the results are called")
    parser.add_argument("command", nargs="+", help="arguments of run_bench.py")
    args = parser.parse_args()
    from harness.cli import main as run_bench

    stacks: Counter[Stack] = Counter()
    done = threading.Event()
    looking = threading.Thread(target=look, args=(threading.get_ident(), stacks, done))
    start = time.perf_counter()
    looking.start()
    try:
        code = run_bench(args.command)
    finally:
        done.set()
        looking.join()
    if code:
        sys.exit(code)
    write(args.topic, " ".join(args.command), stacks, time.perf_counter() - start)


def look(thread: int, stacks: Counter[Stack], done: threading.Event) -> None:
    """Count the stacks of a thread until it is done."""
    while not done.wait(PAUSE):
        stacks[tuple(frames(sys._current_frames().get(thread)))[::-1]] += 1


def frames(frame: FrameType | None) -> Iterator[str]:
    """Name the functions of a stack, innermost first."""
    while frame is not None:
        code = frame.f_code
        path = Path(code.co_filename)
        inside = path.is_relative_to(ROOT) and ".venv" not in path.parts
        where = path.relative_to(ROOT).as_posix() if inside else f"({path.stem})"
        if not (inside and where == "benchmarks/flame.py"):
            yield f"{where} {code.co_qualname}"
        frame = frame.f_back


def write(topic: str, command: str, stacks: Counter[Stack], seconds: float) -> None:
    each = seconds / stacks.total()
    (report.RESULTS / f"{topic}.svg").write_text(drawn(stacks, each), encoding="utf-8")
    own: Counter[str] = Counter()
    for stack, count in stacks.items():
        own[next((name for name in reversed(stack) if not name.startswith("(")), "outside")] += count
    rows = [
        {"function": name, "s": count * each, "% of all": 100 * count / own.total()}
        for name, count in own.most_common(SHOWN)
    ]
    report.write(
        topic,
        f"Where the seconds of `{command}` go",
        rows,
        command=f"python -m benchmarks.flame {topic} -- {command}",
        method=(
            f"The main thread, looked at every {1000 * PAUSE:g} ms; {seconds:.0f} s of wall time in all. "
            "Each look counts for the deepest function of the project; other threads may work beside it. "
            f"All stacks: [{topic}.svg]({topic}.svg)."
        ),
        packages=("torch", "transformers"),
    )


def drawn(stacks: Counter[Stack], each: float) -> str:
    """Return stacks as a picture, the outermost function on top."""
    total = stacks.total()
    boxes = list(laid_out(stacks, 0, 0, total))
    height = LINE * (1 + max(depth for _, depth, _, _ in boxes))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="monospace" font-size="11">'
    ]
    for name, depth, first, count in boxes:
        x, width, y = WIDTH * first / total, WIDTH * count / total, LINE * depth
        hue = 210 if name.startswith("(") else 35
        label = escape(name[: max(0, int(width / LETTER) - 1)])
        lines.append(
            f'<g><title>{escape(name)}: {count * each:.2f} s, {count / total:.1%}</title><rect x="{x:.1f}" '
            f'y="{y}" width="{width:.1f}" height="{LINE - 1}" fill="hsl({hue},70%,{72 + depth % 3 * 5}%)"/>'
            f'<text x="{x + 2:.1f}" y="{y + LINE - 5}">{label}</text></g>'
        )
    return "\n".join([*lines, "</svg>", ""])


def laid_out(stacks: Counter[Stack], depth: int, first: int, total: int) -> Iterator[Box]:
    """Yield each box that is wide enough."""
    below: dict[str, Counter[Stack]] = {}
    for stack, count in stacks.items():
        if len(stack) > depth:
            below.setdefault(stack[depth], Counter())[stack] = count
    for name, part in sorted(below.items(), key=lambda item: -item[1].total()):
        if part.total() >= LEAST * total:
            yield name, depth, first, part.total()
            yield from laid_out(part, depth + 1, first, total)
        first += part.total()


if __name__ == "__main__":
    main()
