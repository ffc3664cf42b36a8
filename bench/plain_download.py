"""Read a response and write it to a file: `python -m bench.plain_download URL FILE [--digest]`.

This is the reference of `bench.fetch`: no limits, no attempts, and no digest unless it is asked
for.
"""

import argparse
import hashlib
import ssl
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from bench.file_server import CA

CHUNK = 1 << 16


def main() -> None:
    """Download the file."""
    parser = argparse.ArgumentParser("python -m bench.plain_download", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    parser.add_argument("--digest", action="store_true")
    arguments = parser.parse_args()
    context, digest = ssl.create_default_context(cafile=CA), hashlib.sha256()
    address = urlsplit(arguments.url)
    connection = HTTPSConnection(address.netloc, context=context)
    connection.request("GET", address.path)
    with connection.getresponse() as answer, arguments.file.open("xb") as file:
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            if arguments.digest:
                digest.update(chunk)
    if arguments.digest:
        print(digest.hexdigest())


if __name__ == "__main__":
    main()
