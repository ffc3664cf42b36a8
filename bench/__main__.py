"""`python -m bench` runs all benchmarks."""

import sys

from bench import reaction, throughput

exit_codes = [benchmark.main() for benchmark in (throughput, reaction)]
sys.exit(max(exit_codes))
