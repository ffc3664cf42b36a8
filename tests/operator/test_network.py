"""NetworkPolicies on a real API server, which stores them; no network plugin enforces them."""

import json

from halimede.api.base import Manifest
from localcluster.cluster import Cluster
from tests.operator.conftest import Start, model
from tests.support.waiting import wait_until

GATEWAY = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}}
EXPOSED = {"type": "Ingress", "ingress": {"host": "m.example.com"}}


def specs(api_server: Cluster, namespace: str) -> list[Manifest]:
    """Return the specs of the NetworkPolicies."""
    listed = api_server.kubectl("get", "networkpolicies", "-n", namespace, "-o", "json")
    return [policy["spec"] for policy in json.loads(listed)["items"]]


def test_a_policy_is_restored(api_server: Cluster, namespace: str, start: Start) -> None:
    """Given one that another client opens or deletes, it is as before."""
    start()
    api_server.kubectl("apply", "-f", "-", input=json.dumps(model("m", namespace)))
    (rendered,) = wait_until(lambda: specs(api_server, namespace), bool)
    opened = json.dumps({"spec": {"ingress": [{}], "egress": [{}]}})
    api_server.kubectl(
        *("patch", "networkpolicies", "-n", namespace, "--type=merge", f"--patch={opened}"),
        *_names(api_server, namespace),
    )
    wait_until(lambda: specs(api_server, namespace), lambda found: found == [rendered])
    api_server.kubectl("delete", "networkpolicies", "-n", namespace, "--all")
    wait_until(lambda: specs(api_server, namespace), lambda found: found == [rendered])


def test_settings_change_the_policies(api_server: Cluster, namespace: str, start: Start) -> None:
    """Given another gateway, it is in the policy; without policies they are deleted."""
    first = start()
    exposed = model("m", namespace, expose=EXPOSED)
    api_server.kubectl("apply", "-f", "-", input=json.dumps(exposed))
    wait_until(lambda: specs(api_server, namespace), bool)
    first.popen.kill()
    first.popen.wait()
    second = start(HALIMEDE_NETWORK_GATEWAY=json.dumps([GATEWAY]))
    wait_until(
        lambda: specs(api_server, namespace),
        lambda found: [one["ingress"][0].get("from") for one in found] == [[GATEWAY]],
    )
    second.popen.kill()
    second.popen.wait()
    start(HALIMEDE_NETWORK_POLICIES="false")
    wait_until(lambda: specs(api_server, namespace), lambda found: found == [])


def _names(api_server: Cluster, namespace: str) -> list[str]:
    named = ("get", "networkpolicies", "-n", namespace, "-o", "jsonpath={.items[*].metadata.name}")
    return api_server.kubectl(*named).split()
