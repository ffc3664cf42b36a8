"""`python -m bench` runs all benchmarks."""

import sys

from bench import objects, polls, reaction, shared_polls

exit_codes = [benchmark.main() for benchmark in (polls, shared_polls, objects, reaction)]
sys.exit(max(exit_codes))
