"""The operator's authentication at Prometheus, with the files of a mounted Secret.

They are read for every query, so that a rotated token takes effect immediately: the kubelet
updates mounted Secrets by itself. Their content is never part of a message.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth
from typing_extensions import override

USERNAME, PASSWORD, TOKEN, HEADERS = "username", "password", "token", "headers"
AUTHORITY, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*?)[ \t]*")


class InvalidAuthError(Exception):
    """The files are inconsistent or cannot be read; the message names them and what to do."""


class _Bearer(AuthBase):
    """Sends a token. A plain header could be replaced by an entry of a .netrc file."""

    def __init__(self, token: str) -> None:
        self._token = token

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True, slots=True)
class PrometheusAuth:
    """The content of the files, all of which are optional."""

    folder: Path
    texts: dict[str, bytes] = field(default_factory=dict, repr=False)
    """Content of the existing files, by name."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the files of a folder.

        Raises:
            InvalidAuthError: They cannot be read, or are inconsistent.
        """
        names = (USERNAME, PASSWORD, TOKEN, HEADERS, AUTHORITY, CERTIFICATE, KEY)
        try:
            texts = {
                name: (folder / name).read_bytes() for name in names if (folder / name).exists()
            }
        except OSError as error:
            raise InvalidAuthError(
                f"{error.filename} cannot be read ({error.strerror}): make it readable for"
                " the operator"
            ) from error
        auth = cls(folder, texts)
        auth._check()
        return auth

    def session(self, *, insecure: bool) -> requests.Session:
        """Return a session with these credentials; an *insecure* one accepts any certificate."""
        session = requests.Session()
        session.headers.update(self._headers())
        if TOKEN in self.texts:
            session.auth = _Bearer(self._line(TOKEN))
        elif USERNAME in self.texts:
            username, password = self._line(USERNAME), self._line(PASSWORD)
            session.auth = HTTPBasicAuth(username.encode(), password.encode())
        if insecure:
            # A deliberate setting, for which a warning at each query is of no use.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            session.verify = False
        elif AUTHORITY in self.texts:
            session.verify = str(self.folder / AUTHORITY)
        if CERTIFICATE in self.texts:
            session.cert = (str(self.folder / CERTIFICATE), str(self.folder / KEY))
        return session

    def _check(self) -> None:
        if TOKEN in self.texts and USERNAME in self.texts:
            raise InvalidAuthError(
                f"{self.folder} contains both {TOKEN} and {USERNAME}: remove one of them"
            )
        for first, second in ((USERNAME, PASSWORD), (CERTIFICATE, KEY)):
            for given, missing in ((first, second), (second, first)):
                if given in self.texts and missing not in self.texts:
                    raise InvalidAuthError(
                        f"{self.folder} contains {given} but no {missing}: add it, or"
                        f" remove {given}"
                    )
        for name in (USERNAME, PASSWORD, TOKEN):
            self._line(name)
        self._headers()

    def _line(self, name: str) -> str:
        text = self._text(name).rstrip("\r\n")
        if not text.isprintable():
            raise InvalidAuthError(
                f"{self.folder / name} must be one line of text: correct the file"
            )
        if name == TOKEN and not text.isascii():
            raise InvalidAuthError(
                f"{self.folder / name} must be ASCII, because it is sent in an HTTP header:"
                " correct the file"
            )
        return text

    def _headers(self) -> dict[str, str]:
        headers = {}
        for number, line in enumerate(self._text(HEADERS).splitlines(), start=1):
            match = _HEADER.fullmatch(line)
            if match:
                headers[match[1]] = match[2]
            elif line.strip():
                raise InvalidAuthError(
                    f"{self.folder / HEADERS}, line {number}, is not a header: write one"
                    " header per line, such as X-Scope-OrgID: my-tenant"
                )
        return headers

    def _text(self, name: str) -> str:
        try:
            return self.texts.get(name, b"").decode()
        except UnicodeDecodeError as error:
            raise InvalidAuthError(
                f"{self.folder / name} must be UTF-8 text: correct the file"
            ) from error
