"""The user's own cluster: what must be said about it, and what is understood."""

from pathlib import Path

import pytest
import yaml

from localcluster.access import ClusterError, current


@pytest.fixture(autouse=True)
def own_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig and all variables; kubectl and helm are on PATH, as programs that answer."""
    kubeconfig = tmp_path / "kubeconfig"
    context = {"name": "mine", "context": {"cluster": "mine", "user": "me"}}
    kubeconfig.write_text(yaml.safe_dump({"current-context": "mine", "contexts": [context]}))
    for name in ("kubectl", "helm"):
        program = tmp_path / name
        program.write_text(
            '#!/bin/sh\ncase "$*" in *current-context) echo mine;; *) echo "$@";; esac'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("HALIMEDE_GATEWAY", "203.0.113.7:8080")
    monkeypatch.setenv("HALIMEDE_PROMETHEUS", "http://203.0.113.7:9090")


def test_the_current_context_is_used() -> None:
    """Everything that the environment says is in the answer, and kubectl can be called."""
    access = current()
    assert access.name == "mine"
    assert access.gateway == ("203.0.113.7", 8080)
    assert access.prometheus_url == "http://203.0.113.7:9090"
    assert access.kubectl("get", "nodes") == "get nodes\n"


@pytest.mark.parametrize("variable", ["HALIMEDE_GATEWAY", "HALIMEDE_PROMETHEUS"])
def test_what_is_not_said_is_asked_for(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is missing is named, with an example."""
    monkeypatch.delenv(variable)
    with pytest.raises(ClusterError, match=rf"{variable} is not set.*203\.0\.113\.7"):
        current()


@pytest.mark.parametrize("given", ["203.0.113.7", "203.0.113.7:http", ":80"])
def test_a_gateway_is_a_host_and_a_port(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the two is not enough, and a port is a number."""
    monkeypatch.setenv("HALIMEDE_GATEWAY", given)
    with pytest.raises(ClusterError, match="must be host:port"):
        current()


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without kubectl nothing can be done, and that is said."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ClusterError, match="kubectl is not on PATH"):
        current()
