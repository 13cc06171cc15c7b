"""Run Assay from a checkout: `python run_bench.py --model scimind --task lpm24`."""

import sys

from harness.cli import main

if __name__ == "__main__":
    sys.exit(main())
