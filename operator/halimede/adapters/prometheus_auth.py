"""How the operator makes itself known to Prometheus: the files that a Secret is mounted as.

They are read anew for every query, so that a rotated token counts at once: the kubelet renews
mounted Secrets by itself. What stands in them is never part of a message.
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
    """The files contradict each other or cannot be read; the message names them and the cure."""


class _Bearer(AuthBase):
    """Sends a token. As it is no mere header, no entry of a .netrc file takes its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True, slots=True)
class PrometheusAuth:
    """What the files say. Each may be absent, and all are."""

    folder: Path
    texts: dict[str, bytes] = field(default_factory=dict, repr=False)
    """Content by file name, of those that there are."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder.

        Raises:
            UnusableAccessError: it cannot be read, or its files do not go together.
        """
        known = (USERNAME, PASSWORD, TOKEN, HEADERS, AUTHORITY, CERTIFICATE, KEY)
        try:
            texts = {one: (folder / one).read_bytes() for one in known if (folder / one).exists()}
        except OSError as error:
            raise InvalidAuthError(
                f"{error.filename} cannot be read ({error.strerror}): let the operator read it"
            ) from error
        access = cls(folder, texts)
        access._check()
        return access

    def session(self, *, insecure: bool) -> requests.Session:
        """Open a session that shows all this; *insecure* ones believe any certificate."""
        session = requests.Session()
        session.headers.update(self._headers())
        if TOKEN in self.texts:
            session.auth = _Bearer(self._line(TOKEN))
        elif USERNAME in self.texts:
            username, password = self._line(USERNAME), self._line(PASSWORD)
            session.auth = HTTPBasicAuth(username.encode(), password.encode())
        if insecure:
            # Somebody has chosen this; a warning for each query would tell nobody anything.
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
                f"{self.folder} holds both {TOKEN} and {USERNAME}: keep one of them"
            )
        for one, other in ((USERNAME, PASSWORD), (CERTIFICATE, KEY)):
            for there, missing in ((one, other), (other, one)):
                if there in self.texts and missing not in self.texts:
                    raise InvalidAuthError(
                        f"{self.folder} holds {there} but no {missing}: add it, or remove {there}"
                    )
        for name in (USERNAME, PASSWORD, TOKEN):
            self._line(name)
        self._headers()

    def _line(self, name: str) -> str:
        text = self._text(name).rstrip("\r\n")
        if not text.isprintable():
            raise InvalidAuthError(
                f"{self.folder / name} must hold one line of text: write it anew"
            )
        if name == TOKEN and not text.isascii():
            raise InvalidAuthError(
                f"{self.folder / name} must hold ASCII only, as an HTTP header takes nothing else:"
                " write it anew"
            )
        return text

    def _headers(self) -> dict[str, str]:
        headers = {}
        for number, line in enumerate(self._text(HEADERS).splitlines(), start=1):
            found = _HEADER.fullmatch(line)
            if found:
                headers[found[1]] = found[2]
            elif line.strip():
                raise InvalidAuthError(
                    f"{self.folder / HEADERS}, line {number}, is no header: write one in each"
                    " line, such as X-Scope-OrgID: my-tenant"
                )
        return headers

    def _text(self, name: str) -> str:
        try:
            return self.texts.get(name, b"").decode()
        except UnicodeDecodeError as error:
            raise InvalidAuthError(
                f"{self.folder / name} is no UTF-8 text: write it anew"
            ) from error
