"""Settings for a user's own cluster."""

from pathlib import Path

import pytest
import yaml

from localcluster.access import ClusterError, current


@pytest.fixture(autouse=True)
def own_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a kubeconfig and all variables, with stubs of kubectl and helm on PATH."""
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
    """All settings of the environment are read, and kubectl can be called."""
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
    """A gateway needs a host and a numeric port."""
    monkeypatch.setenv("HALIMEDE_GATEWAY", given)
    with pytest.raises(ClusterError, match="must be host:port"):
        current()


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing kubectl is an error with its name."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ClusterError, match="kubectl is not on PATH"):
        current()
