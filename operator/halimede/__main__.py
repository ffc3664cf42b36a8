"""`python -m halimede` is `halimede`."""

import sys

from halimede.cli.main import main

sys.exit(main())
