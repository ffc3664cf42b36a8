"""`python -m halimede_fetch` is `halimede-fetch`."""

import sys

from halimede_fetch.main import main

sys.exit(main())
