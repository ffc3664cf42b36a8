"""The edge of the commands: what reaches the log and the pod's status, and the exit status."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

from halimede_fetch.errors import FetchError, MissingSecretError, TransientFetchError
from halimede_fetch.exit_codes import NO_SECRET, TRY_AGAIN

TERMINATION_LOG = Path("/dev/termination-log")
"""The content of this file becomes the container's termination message in the pod's status."""
LONGEST_MESSAGE = 1000
"""Characters of a message that are printed; the kubelet takes 4096 bytes of them."""


def run(command: Callable[[], str]) -> int:
    """Run a command, which returns the termination message; return the exit status.

    Only sentences of ours are printed: the text of another exception could contain a credential.
    """
    status = 1
    try:
        done = command()
    except TransientFetchError as error:
        status, message = TRY_AGAIN, str(error)
    except MissingSecretError as error:
        status, message = NO_SECRET, str(error)
    except FetchError as error:
        message = str(error)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"{error.filename or 'the model'} cannot be read or written: {reason}"
    except Exception as error:  # noqa: BLE001  (whatever a library raises must not be printed)
        message = f"the model cannot be fetched: unexpected {type(error).__name__}"
    else:
        _write_termination_message(done)
        return 0
    text = one_line(message)
    sys.stderr.write(f"{text}\n")
    _write_termination_message(text)
    return status


def one_line(message: str) -> str:
    """Return *message*, of which others chose parts, as one short line of printable text."""
    text = "".join(char if char.isprintable() else "?" for char in message)
    return f"{text[:LONGEST_MESSAGE]}…" if len(text) > LONGEST_MESSAGE else text


def _write_termination_message(text: str) -> None:
    """Write what the operator reads in the pod's status: what was found, or what went wrong."""
    with contextlib.suppress(OSError):
        if TERMINATION_LOG.exists():
            TERMINATION_LOG.write_text(text, encoding="utf-8")
