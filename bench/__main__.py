"""`python -m bench` runs all measurements."""

import sys

from bench.objects import main

sys.exit(main())
