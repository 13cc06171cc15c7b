"""Where a command's seconds go: what is looked at, counted and drawn."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from xml.etree import ElementTree

from benchmarks import flame


def test_a_thread_is_seen_in_its_functions_outermost_first():
    def waits() -> None:
        time.sleep(0.2)

    worker = threading.Thread(target=waits)
    worker.start()
    stacks: Counter[flame.Stack] = Counter()
    done = threading.Event()
    looking = threading.Thread(target=flame.look, args=(worker.ident, stacks, done))
    looking.start()
    worker.join()
    done.set()
    looking.join()
    [seen] = [stack for stack, _ in stacks.most_common(1)]
    assert seen[-1].startswith("tests/benchmarks/test_flame.py") and seen[-1].endswith("waits")
    assert seen[0].startswith("(threading)")


def test_boxes_are_as_wide_as_their_share_and_lie_below_their_callers():
    stacks = Counter({("a", "b"): 60, ("a", "c"): 30, ("d",): 9, ("e",): 0})
    boxes = {name: (depth, first, count) for name, depth, first, count in flame.laid_out(stacks, 0, 0, 99)}
    assert boxes == {"a": (0, 0, 90), "b": (1, 0, 60), "c": (1, 60, 30), "d": (0, 90, 9)}
    drawn = ElementTree.fromstring(flame.drawn(stacks, 0.01))
    titles = [title.text for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0] == "a: 0.90 s, 90.9%"


def test_the_stack_of_a_caller_names_files_of_the_project_and_modules_of_others():
    names = list(flame.frames(sys._getframe()))
    assert names[0].startswith("tests/benchmarks/test_flame.py test_the_stack")
    assert any(name.startswith("(") for name in names[1:])
