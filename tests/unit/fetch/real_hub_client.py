"""Downloads a model with huggingface_hub; a program, because that reads its settings on import.

Arguments: the hub's address, the model, the revision, the folder, the certificate of its CA, and
patterns of files. The token is the first line of the standard input.
"""

import ssl
import sys

import httpx2
from huggingface_hub import set_client_factory, snapshot_download


def main(endpoint: str, model: str, revision: str, folder: str, ca: str, *patterns: str) -> None:
    """Download the files that match."""
    context = ssl.create_default_context(cafile=ca)
    set_client_factory(lambda: httpx2.Client(verify=context, follow_redirects=True))
    snapshot_download(
        model,
        revision=revision,
        local_dir=folder,
        endpoint=endpoint,
        token=sys.stdin.readline().strip() or False,
        allow_patterns=list(patterns) or None,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
