"""Credentials for the API server: its certificate, a token for each user, kubeconfig files."""

import base64
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from localcluster.addresses import API_SERVER, CLUSTER_IP

ADMIN = "admin"
"""The user of the cluster, outside its namespaces."""
SUPERVISOR = "halimede-local"
"""The local cluster's own components: set-up and addons. Not in the audit log."""
CONTROLLER_MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"
NODE = "system:node:node-1"

GROUPS: Mapping[str, tuple[str, ...]] = {
    ADMIN: ("system:masters",),
    SUPERVISOR: ("system:masters",),
    CONTROLLER_MANAGER: (),
    SCHEDULER: (),
    # The Node authorizer expects the requests of a kubelet; this node is our own and trusted.
    NODE: ("system:masters", "system:nodes"),
}
"""The users and their groups; RBAC grants their permissions."""

NAMES = (
    CLUSTER_IP,
    "127.0.0.1",
    "10.96.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
"""The names and addresses that the API server's certificate covers."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The files of the credentials in a folder, and the tokens."""

    folder: Path
    tokens: Mapping[str, str]

    @property
    def certificate(self) -> Path:
        """The API server's certificate."""
        return self.folder / "tls.crt"

    @property
    def key(self) -> Path:
        """The certificate's key; service-account tokens are signed with it too."""
        return self.folder / "tls.key"

    @property
    def authority(self) -> Path:
        """The certificate of the authority that signed ``certificate``."""
        return self.folder / "ca.crt"

    @property
    def token_file(self) -> Path:
        """The tokens as the API server reads them."""
        return self.folder / "tokens.csv"

    def kubeconfig(self, user: str, *, server: str = API_SERVER, name: str = "halimede") -> str:
        """Return a kubeconfig file for ``user``; ``name`` names its context."""
        authority = base64.b64encode(self.authority.read_bytes()).decode()
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": name,
                        "cluster": {"server": server, "certificate-authority-data": authority},
                    }
                ],
                "users": [{"name": user, "user": {"token": self.tokens[user]}}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
                "current-context": name,
            },
            sort_keys=False,
        )

    def write_kubeconfig(self, user: str) -> Path:
        """Write a kubeconfig for use inside the cluster's namespaces, and return its path."""
        path = self.folder / f"{user.replace(':', '-')}.kubeconfig"
        write_secret(path, self.kubeconfig(user))
        return path


def create(folder: Path, binaries: Path) -> Credentials:
    """Make new credentials in ``folder``, which must exist.

    Raise ``subprocess.CalledProcessError`` if the certificate could not be made.
    """
    command = [str(binaries / "make-certificate"), str(folder), *NAMES]
    subprocess.run(command, check=True, capture_output=True, text=True)
    tokens = {user: secrets.token_urlsafe(24) for user in GROUPS}
    made = Credentials(folder, tokens)
    write_secret(
        made.token_file,
        "".join(
            f'{token},{user},{user},"{",".join(GROUPS[user])}"\n' for user, token in tokens.items()
        ),
    )
    return made


def write_secret(path: Path, content: str) -> None:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(content)
