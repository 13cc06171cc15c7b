"""Draws which room imports which: `python .ci/site/architecture.py docs/explanation/architecture.svg`.

A room is a folder of the harness, or one of the three that it hosts. An arrow is an import that stands in the
source; one that other arrows imply is left out, and what a room imports in all is in its tooltip.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from html import escape
from itertools import pairwise
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[2]
HOSTED = ("plugins", "tasks", "leaderboards")
FACE = "api"  # `from harness import Task` is from here
# Single modules, and what the face opens of them when somebody asks.
SINGLE = {
    "__main__": "cli",
    "notebook": "program",
    "run": "program",
    "score": "program",
    "load_run": "program",
}
WIDTH, HEIGHT, GAP, RISE = 128, 34, 22, 62

Graph = dict[str, set[str]]


def imports() -> Graph:
    """Return what each room imports of the others."""
    graph: Graph = {}
    for path in sources():
        module = named(path)
        room = room_of(module)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for name in imported(ast.parse(path.read_text(encoding="utf-8")), package):
            if name.partition(".")[0] == "harness" and room_of(name) != room:
                graph.setdefault(room, set()).add(room_of(name))
                graph.setdefault(room_of(name), set())
    return graph


def sources() -> Iterator[Path]:
    """Yield every module but the face, which opens the program when somebody asks for it."""
    for folder in ("harness", *HOSTED):
        yield from (
            path for path in sorted((ROOT / folder).rglob("*.py")) if path != ROOT / "harness/__init__.py"
        )


def named(path: Path) -> str:
    """Return a module's name as it is imported, wherever it lies."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in ("harness", *parts[parts[0] == "harness" :]) if part != "__init__")


def room_of(name: str) -> str:
    """Return the room that a name of `harness` lies in."""
    first = (name.split(".")[1:] or [FACE])[0]
    first = SINGLE.get(first, first)
    here = ROOT / "harness" / first
    return first if first in HOSTED or here.is_dir() or here.with_suffix(".py").is_file() else FACE


def imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, (above, node.module)))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def reach(graph: Graph, room: str) -> set[str]:
    """Return every room that one needs, directly or not."""
    found: set[str] = set()
    waiting = [room]
    while waiting:
        for below in graph[waiting.pop()] - found:
            found.add(below)
            waiting.append(below)
    return found


def joined(graph: Graph) -> Graph:
    """Return the graph with rooms that need each other as one, by their names together."""
    names = {
        room: " + ".join(sorted({room} | {b for b in reach(graph, room) if room in reach(graph, b)}))
        for room in graph
    }
    merged: Graph = {name: set() for name in names.values()}
    for room, below in graph.items():
        merged[names[room]] |= {names[each] for each in below} - {names[room]}
    return merged


def reduced(graph: Graph) -> Graph:
    """Return the graph without the arrows that others imply."""
    implied = {room: set().union(*(reach(graph, each) for each in below)) for room, below in graph.items()}
    return {room: below - implied[room] for room, below in graph.items()}


def levels(graph: Graph) -> dict[str, int]:
    """Return how high each room stands: one above the highest that it imports."""
    height: dict[str, int] = {}
    while len(height) < len(graph):
        for room, below in graph.items():
            if room not in height and below <= height.keys():
                height[room] = max((height[each] + 1 for each in below), default=0)
    return height


def drawing() -> str:
    """Return the picture as SVG."""
    full = joined(imports())
    graph, height = reduced(full), levels(full)
    rows, chains = layers(graph, height)
    for _ in range(24):
        settle(rows, chains)
    return svg(rows, chains, full)


def layers(graph: Graph, height: Mapping[str, int]) -> tuple[list[list[str]], list[list[str]]]:
    """Return the rows from the top, and each arrow as a chain of points through the rows that it crosses."""
    top = max(height.values())
    rows: list[list[str]] = [
        sorted(room for room in graph if height[room] == top - row) for row in range(top + 1)
    ]
    chains = []
    for room, below in sorted(graph.items()):
        for goal in sorted(below):
            between = [f"{room}>{goal}@{level}" for level in range(height[room] - 1, height[goal], -1)]
            for name in between:
                rows[top - int(name.rpartition("@")[2])].append(name)
            chains.append([room, *between, goal])
    return rows, chains


def settle(rows: list[list[str]], chains: list[list[str]]) -> None:
    """Order each row by where its neighbours stand, so that few arrows cross."""
    near: dict[str, list[str]] = {}
    for chain in chains:
        for one, other in pairwise(chain):
            near.setdefault(one, []).append(other)
            near.setdefault(other, []).append(one)
    for row in rows:
        place = positions(rows)
        row.sort(key=lambda name: (mean([place[each] for each in near.get(name, [name])]), name))


def width(name: str) -> int:
    """Return how wide a box is, or the room that an arrow takes on its way."""
    return 10 if "@" in name else max(WIDTH, 8 * len(name) + 20)


def positions(rows: list[list[str]]) -> dict[str, float]:
    """Return the middle of each box and point, every row around the same middle."""
    found: dict[str, float] = {}
    widest = max(extent(row) for row in rows)
    for row in rows:
        at = (widest - extent(row)) / 2
        for name in row:
            found[name] = at + width(name) / 2
            at += width(name) + GAP
    return found


def extent(row: list[str]) -> float:
    """Return how wide a row is."""
    return sum(map(width, row)) + GAP * (len(row) - 1)


def svg(rows: list[list[str]], chains: list[list[str]], full: Graph) -> str:
    """Return rows and arrows as a picture, light on whatever page."""
    across = positions(rows)
    down = {name: index * (HEIGHT + RISE) for index, row in enumerate(rows) for name in row}
    wide, high = max(extent(row) for row in rows), (len(rows) - 1) * (HEIGHT + RISE) + HEIGHT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-16 -16 {wide + 32:.0f} {high + 32}" '
        'font-family="system-ui, sans-serif" font-size="14" role="img">',
        "<title>Which room imports which</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 8 4 0 8z" fill="#64748b"/></marker></defs>',
        f'<rect x="-16" y="-16" width="{wide + 32:.0f}" height="{high + 32}" rx="8" fill="#ffffff"/>',
    ]
    lines += [arrow([(across[name], down[name]) for name in chain]) for chain in chains]
    lines += [box(name, across[name], down[name], full) for row in rows for name in row if "@" not in name]
    return "\n".join([*lines, "</svg>", ""])


def arrow(points: list[tuple[float, int]]) -> str:
    """Return a line from the foot of the first box to the head of the last."""
    (x, y), *rest = points
    path, y = f"M{x:.0f} {y + HEIGHT}", y + HEIGHT
    for index, (right, low) in enumerate(rest):
        bend = (low - y) / 2
        path += f" C{x:.0f} {y + bend:.0f} {right:.0f} {low - bend:.0f} {right:.0f} {low}"
        x, y = right, low
        if index < len(rest) - 1:
            path, y = f"{path} V{low + HEIGHT}", low + HEIGHT
    return f'<path d="{path}" fill="none" stroke="#64748b" stroke-width="1.2" marker-end="url(#tip)"/>'


def box(name: str, middle: float, top: int, full: Graph) -> str:
    """Return a room; hosted ones, the program and the libraries have their own colours."""
    fill = (
        "#fef3c7"
        if name in HOSTED
        else "#dbeafe"
        if name in ("cli", "program", "engine", FACE)
        else "#ecfdf5"
    )
    told = escape(f"{name} imports {', '.join(sorted(full[name])) or 'no other room'}")
    return (
        f'<g><title>{told}</title><rect x="{middle - width(name) / 2:.0f}" y="{top}" width="{width(name)}" '
        f'height="{HEIGHT}" rx="6" fill="{fill}" stroke="#64748b"/><text x="{middle:.0f}" y="{top + 22}" '
        f'text-anchor="middle" fill="#0f172a">{escape(name)}</text></g>'
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(drawing(), encoding="utf-8")
