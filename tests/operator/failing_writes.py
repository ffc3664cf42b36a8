"""A namespace in which the operator's writes fail: they are denied, or not answered."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import API_VERSION, KIND
from localcluster.cluster import Cluster
from tests.support.operator_account import OperatorAccount
from tests.support.waiting import wait_until

API = {"apiVersion": "admissionregistration.k8s.io/v1"}
SILENT = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0), backlog=4096)
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""
"""A server to which the kernel connects clients, and which never says anything."""
WEBHOOK_SECONDS = 30
"""The longest time-out of a webhook."""
CHILDREN = (
    ("", "configmaps"),
    ("", "services"),
    ("apps", "deployments"),
    ("networking.k8s.io", "networkpolicies"),
    ("policy", "poddisruptionbudgets"),
)
"""The children of a small model."""


@contextmanager
def denial(account: OperatorAccount, namespace: str) -> Iterator[None]:
    """Deny every write of the operator in a namespace during the block."""
    name = f"deny-{namespace}"
    spec = {
        "matchConstraints": {
            "namespaceSelector": _only(namespace),
            "resourceRules": [_rule("*", "*/*")],
        },
        "matchConditions": [_by(account)],
        "validations": [{"expression": "false", "message": "nothing may be written here"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    manifests = (
        _object("ValidatingAdmissionPolicy", name, spec),
        _object("ValidatingAdmissionPolicyBinding", name, binding),
    )
    with _created(account.cluster, manifests):
        create = ("create", "--filename=-", "--dry-run=server")
        child = json.dumps(_child(namespace))
        wait_until(
            lambda: account.kubectl(*create, text=child), lambda answer: "may be written" in answer
        )
        yield


@contextmanager
def unanswered_write(account: OperatorAccount, namespace: str) -> Iterator[None]:
    """Let one write of the account wait for its admission during the block."""
    create = ("create", "--filename=-", "--dry-run=server", f"--as={account.user}")
    child = json.dumps(_child(namespace))
    with silent_webhook(account, namespace):
        wait_until(
            lambda: account.kubectl(*create, "--request-timeout=1s", text=child),
            lambda answer: "imeout" in answer or "deadline" in answer,
        )
        with subprocess.Popen(
            [account.cluster.kubectl_program, *create],
            env={**os.environ, "KUBECONFIG": str(account.cluster.kubeconfig)},
            stdin=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdin
            client.stdin.write(child)
            client.stdin.close()
            try:
                yield
            finally:
                client.kill()


@contextmanager
def silent_webhook(account: OperatorAccount, namespace: str) -> Iterator[None]:
    """Let a webhook that never answers admit the children in a namespace during the block."""
    command = account.cluster.inside(sys.executable, "-c", SILENT)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        webhook = {
            "name": "silent.example.com",
            "clientConfig": {"url": f"https://127.0.0.1:{server.stdout.readline().strip()}/"},
            "timeoutSeconds": WEBHOOK_SECONDS,
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": _only(namespace),
            "matchConditions": [_by(account)],
            "rules": [_rule(group, resource) for group, resource in CHILDREN],
        }
        metadata = {"name": f"silent-{namespace}"}
        manifest = {"kind": "ValidatingWebhookConfiguration", "metadata": metadata, **API}
        with _created(account.cluster, [manifest | {"webhooks": [webhook]}]):
            yield
        server.stdin.close()


@contextmanager
def _created(cluster: Cluster, manifests: Iterable[Manifest]) -> Iterator[None]:
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
    cluster.kubectl("create", "--filename=-", input=items)
    try:
        yield
    finally:
        cluster.kubectl("delete", "--filename=-", input=items)


def _object(kind: str, name: str, spec: Manifest) -> Manifest:
    return {**API, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _child(namespace: str) -> Manifest:
    """Return an object that the policy of the chart lets the operator create."""
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": "probe", "uid": "0"}
    metadata = {"name": "probe", "namespace": namespace, "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def _only(namespace: str) -> Manifest:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def _by(account: OperatorAccount) -> Manifest:
    expression = f"request.userInfo.username == '{account.user}'"
    return {"name": "operator", "expression": expression}


def _rule(group: str, resource: str) -> Manifest:
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
        "resources": [resource],
    }
