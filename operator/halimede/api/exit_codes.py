"""Exit codes of the fetcher, which the operator reads in the status of pods."""

TRY_AGAIN = 75
"""Another attempt may succeed: the server is busy, slow or away. `EX_TEMPFAIL` of sysexits.h."""
