"""`python -m bench` runs all measurements."""

import sys

from bench import reaction, throughput

missed = [one.main() for one in (throughput, reaction)]
sys.exit(max(missed))
