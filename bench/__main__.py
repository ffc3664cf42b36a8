"""`python -m bench` runs all benchmarks."""

import sys

from bench import objects, polls, reaction

exit_codes = [benchmark.main() for benchmark in (polls, objects, reaction)]
sys.exit(max(exit_codes))
