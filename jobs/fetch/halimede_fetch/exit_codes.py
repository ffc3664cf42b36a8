"""Exit codes that say whether another attempt may succeed.

The operator reads them in the status of pods; `halimede.api.exit_codes` has the same numbers.
"""

NO_SECRET = 66
"""The Secret with the credentials does not exist or is empty. `EX_NOINPUT` of sysexits.h."""
TRY_AGAIN = 75
"""Another attempt may succeed: the server is busy, slow or away. `EX_TEMPFAIL` of sysexits.h."""
