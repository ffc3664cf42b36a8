"""`python -m halimede_fetch` is `halimede-fetch`."""

from halimede_fetch.main import run

run()
