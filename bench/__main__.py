"""`python -m bench` runs all measurements."""

import sys

from bench import objects, reaction

missed = [one.main() for one in (objects, reaction)]
sys.exit(max(missed))
