"""Access to a cluster: a local one, or the current context of the user's kubeconfig."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


class ClusterError(RuntimeError):
    """An operation on a cluster failed; the message names the remedy if it is known."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a cluster is reached from outside."""

    name: str
    kubeconfig: Path
    """Credentials of an administrator."""
    gateway: tuple[str, int]
    """Host and port of the Gateway ``public``; the ``Host`` header selects the route."""
    prometheus_url: str
    kubectl_program: Path
    helm_program: Path

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - as subprocess.run has it
        """Run kubectl with ``input`` on its standard input and return its standard output.

        Raise ``ClusterError`` with its error output.
        """
        return self._run(self.kubectl_program, arguments, input)

    def helm(self, *arguments: str) -> str:
        """Run helm and return its standard output. Raise ``ClusterError`` as `kubectl` does."""
        return self._run(self.helm_program, arguments, None)

    def _run(self, program: Path, arguments: tuple[str, ...], text: str | None) -> str:
        finished = subprocess.run(
            [program, *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=text or "",
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            reason = finished.stderr.strip() or f"status {finished.returncode}"
            raise ClusterError(f"{program.name} {' '.join(arguments)}: {reason}")
        return finished.stdout


def current() -> Access:
    """Return the access to the user's own cluster: the current context of the kubeconfig.

    ``HALIMEDE_GATEWAY`` (host:port) and ``HALIMEDE_PROMETHEUS`` (URL) are the addresses at which
    its gateway and its Prometheus are reached from here. Raise ``ClusterError`` if one of them,
    kubectl or helm is missing.
    """
    kubectl, helm = _program("kubectl"), _program("helm")
    host, _, port = _variable("HALIMEDE_GATEWAY", "203.0.113.7:80").rpartition(":")
    if not host or not port.isdecimal():
        raise ClusterError("HALIMEDE_GATEWAY must be host:port, for example 203.0.113.7:80")
    context = subprocess.run(
        [kubectl, "config", "current-context"], capture_output=True, text=True, check=False
    )
    if context.returncode != 0:
        raise ClusterError(f"the kubeconfig has no cluster: {context.stderr.strip()}")
    return Access(
        name=context.stdout.strip(),
        kubeconfig=Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config"),
        gateway=(host, int(port)),
        prometheus_url=_variable("HALIMEDE_PROMETHEUS", "http://203.0.113.7:9090"),
        kubectl_program=kubectl,
        helm_program=helm,
    )


def _variable(name: str, example: str) -> str:
    if value := os.environ.get(name):
        return value
    raise ClusterError(f"{name} is not set; set its address, for example {example}")


def _program(name: str) -> Path:
    if path := shutil.which(name):
        return Path(path)
    raise ClusterError(f"{name} is not on PATH")
