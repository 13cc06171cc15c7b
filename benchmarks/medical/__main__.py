"""Medical questions: how answers are read, what AiMed learns, and what real weights do.

    python -m benchmarks.medical letters DATA
    python -m benchmarks.medical stages
    python -m benchmarks.medical weights DATA

DATA is the folder that holds `mirage`, `medqa`, `mmlu_medical`, `pubmedqa` and `medicalgpt`. `weights` and
`stages` keep what they have done under --work; a command that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .letters import letters
from .stages import stages
from .weights import weights


def main() -> None:
    """Measure one part and write its table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.medical",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", choices=["letters", "stages", "weights"])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("runs/benchmark-medical"))
    parser.add_argument("--seeds", default="0", help="seeds of the learning (stages)")
    parser.add_argument("--learned", type=int, default=96, help="answers that are learned (weights)")
    parser.add_argument("--held", type=int, default=40, help="answers that are held out (weights)")
    parser.add_argument("--asked", type=int, default=50, help="questions of each exam (weights)")
    args = parser.parse_args()
    if args.part == "letters":
        letters(args.data / "mirage")
    elif args.part == "stages":
        stages(args.work, args)
    else:
        weights(args.data, args.work, args)


if __name__ == "__main__":
    main()
