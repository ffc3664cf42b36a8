"""`python -m bench` runs all benchmarks."""

import sys

from bench import polls, reaction, throughput

exit_codes = [benchmark.main() for benchmark in (polls, throughput, reaction)]
sys.exit(max(exit_codes))
