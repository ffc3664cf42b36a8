"""`halimede remove-finalizers` on a real API server, without an operator."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from halimede.api.v1alpha1 import ROUTE_FINALIZER
from localcluster.cluster import Cluster
from tests.operator.conftest import model

OTHER = "example.com/other"


def remove_finalizers(kubeconfig: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "halimede", "remove-finalizers"],
        env={**os.environ, "KUBECONFIG": str(kubeconfig), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def create(api_server: Cluster, namespace: str, name: str, *finalizers: str) -> None:
    """Create a ModelDeployment with finalizers."""
    manifest = model(name, namespace)
    manifest["metadata"]["finalizers"] = list(finalizers)
    api_server.kubectl("create", "-f-", input=json.dumps(manifest))


def finalizers(api_server: Cluster, namespace: str) -> dict[str, list[str]]:
    """Return the finalizers of the ModelDeployments by their names."""
    shown = api_server.kubectl("get", "mdeploy", "-n", namespace, "-o", "json")
    metadata = [one["metadata"] for one in json.loads(shown)["items"]]
    return {one["name"]: one.get("finalizers", []) for one in metadata}


def test_only_our_finalizer_is_removed(api_server: Cluster, namespace: str) -> None:
    """Objects that are being deleted go, and the finalizers of others stay."""
    create(api_server, namespace, "a", OTHER, ROUTE_FINALIZER)
    create(api_server, namespace, "b", ROUTE_FINALIZER)
    create(api_server, namespace, "c", OTHER)
    create(api_server, namespace, "d", ROUTE_FINALIZER)
    api_server.kubectl("delete", "mdeploy", "d", "-n", namespace, "--wait=false")
    finished = remove_finalizers(api_server.kubeconfig)
    assert finished.returncode == 0, finished.stderr
    ours = [line for line in finished.stdout.splitlines() if line.startswith(f"{namespace}/")]
    assert ours == [f"{namespace}/{name}: removed the finalizer" for name in "abd"]
    assert finalizers(api_server, namespace) == {"a": [OTHER], "b": [], "c": [OTHER]}
    patch = '--patch=[{"op": "remove", "path": "/metadata/finalizers"}]'
    for name in "ac":
        api_server.kubectl("patch", "mdeploy", name, "-n", namespace, "--type=json", patch)


def test_only_the_operators_namespaces_are_changed(api_server: Cluster, namespace: str) -> None:
    """With HALIMEDE_NAMESPACES the others keep their finalizers, as they have another operator."""
    create(api_server, namespace, "m", ROUTE_FINALIZER)
    assert remove_finalizers(api_server.kubeconfig, HALIMEDE_NAMESPACES="default").returncode == 0
    assert finalizers(api_server, namespace) == {"m": [ROUTE_FINALIZER]}
    assert remove_finalizers(api_server.kubeconfig, HALIMEDE_NAMESPACES=namespace).returncode == 0
    assert finalizers(api_server, namespace) == {"m": []}


def test_what_may_not_be_patched_is_named(
    api_server: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Given an account that only reads, the command fails and names each object and the reason."""
    create(api_server, namespace, "m", ROUTE_FINALIZER)
    here = ("--namespace", namespace)
    api_server.kubectl("create", "serviceaccount", "reader", *here)
    reads = ("--verb=get,list", "--resource=modeldeployments.halimede.dev")
    api_server.kubectl("create", "role", "reads", *reads, *here)
    account = f"--serviceaccount={namespace}:reader"
    api_server.kubectl("create", "rolebinding", "reads", "--role=reads", account, *here)
    credentials = yaml.safe_load(api_server.kubeconfig.read_text())
    token = api_server.kubectl("create", "token", "reader", *here).strip()
    credentials["users"][0]["user"] = {"token": token}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(credentials))
    finished = remove_finalizers(kubeconfig, HALIMEDE_NAMESPACES=namespace)
    assert finished.returncode == 1
    assert f"halimede: {namespace}/m: the finalizer is not removed: " in finished.stderr
    assert "cannot patch resource" in finished.stderr
    assert finalizers(api_server, namespace) == {"m": [ROUTE_FINALIZER]}
    denied = remove_finalizers(kubeconfig)
    assert denied.returncode == 1
    assert "cannot list resource" in denied.stderr
