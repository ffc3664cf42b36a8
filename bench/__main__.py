"""`python -m bench` runs all benchmarks."""

import sys

from bench import fetch, objects, polls, reaction, shared_polls

exit_codes = [benchmark.main() for benchmark in (fetch, polls, shared_polls, objects, reaction)]
sys.exit(max(exit_codes))
