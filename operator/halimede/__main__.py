"""`python -m halimede` is `halimede`."""

import sys

from halimede.cli import main

sys.exit(main())
