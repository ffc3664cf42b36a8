"""The entry Service on a real control plane always selects ready pods."""

from typing import Any

import pytest
from kubernetes import client, config, watch

from halimede.adapters.cluster import KubeCluster
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.traffic import Backend, render_traffic
from localcluster.cluster import Cluster
from tests.operator.conftest import model, put
from tests.operator.ready_pods import create_ready_pod
from tests.support.waiting import wait_until

OLD = {"digits-aaaaaaaa-1": "10.9.0.1", "digits-aaaaaaaa-2": "10.9.0.2"}
NEW = {"digits-bbbbbbbb-1": "10.9.0.3"}


@pytest.fixture
def slices(api_server: Cluster) -> client.DiscoveryV1Api:
    """Return a client for EndpointSlices."""
    return client.DiscoveryV1Api(config.new_client_from_config(str(api_server.kubeconfig)))


def ready(piece: Any) -> set[str]:
    """Return the ready addresses."""
    return {
        address
        for endpoint in piece.endpoints or ()
        if endpoint.conditions.ready
        for address in endpoint.addresses
    }


@pytest.mark.usefixtures("node")
async def test_shares_and_the_switch_never_empty_the_service(
    api_server: Cluster, kube: KubeCluster, namespace: str, slices: client.DiscoveryV1Api
) -> None:
    """It selects the old pods, both revisions', or the new ones, and never none."""
    md = ModelDeployment.from_manifest(model("digits", namespace))
    chosen = {"label_selector": "kubernetes.io/service-name=digits"}
    for name, address in (OLD | NEW).items():
        _, revision, number = name.split("-")
        create_ready_pod(api_server, namespace, "digits", revision, address, int(number))

    async def lead(old: int, new: int, *pods: str) -> None:
        backends = (Backend("aaaaaaaa", old), Backend("bbbbbbbb", new))
        (service,) = render_traffic(md, backends, by_pods=True)
        del service["metadata"]["ownerReferences"]
        await put(kube, service)
        wait_until(
            lambda: {
                address
                for piece in slices.list_namespaced_endpoint_slice(namespace, **chosen).items
                for address in ready(piece)
            },
            lambda addresses: addresses == set(pods),
        )

    old, new = OLD.values(), NEW.values()
    await lead(100, 0, *old)
    begun = slices.list_namespaced_endpoint_slice(namespace, **chosen).metadata.resource_version
    await lead(75, 25, *old, *new)
    await lead(100, 0, *old)
    await lead(50, 50, *old, *new)
    await lead(0, 100, *new)
    await lead(100, 0, *old)
    seen = [
        ready(event["object"])
        for event in watch.Watch().stream(
            slices.list_namespaced_endpoint_slice,
            namespace,
            resource_version=begun,
            timeout_seconds=1,
            **chosen,
        )
    ]
    assert len(seen) >= 5
    assert all(seen)
