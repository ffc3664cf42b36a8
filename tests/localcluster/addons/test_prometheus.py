import asyncio
from typing import Any

from localcluster.addresses import CLUSTER_IP
from tests.localcluster.addons.callers import call_grpc, calling, open_channel
from tests.localcluster.addons.manifests import Manifest, route
from tests.localcluster.addons.world import World
from tests.support.waiting import wait_until_async


async def answered(here: World, promql: str) -> list[dict[str, Any]]:
    """Wait for series of a query and return them."""
    return await wait_until_async(lambda: asyncio.to_thread(here.query, promql), bool)


def pod(name: str, port: int) -> Manifest:
    """Return a pod that no scheduler or node handles; the test sets its status."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"halimede.dev/revision": "0a1b2c3d"}},
        "spec": {
            "schedulerName": "none",
            "containers": [
                {
                    "name": "triton",
                    "image": "example.com/model",
                    "ports": [
                        {"name": "http", "containerPort": 1},
                        {"name": "metrics", "containerPort": port},
                    ],
                }
            ],
        },
    }


async def test_the_gateway_counts_for_every_backend_service(here: World) -> None:
    """Responses by class and gRPC errors by code exist under the Service's name."""
    here.backend("a")
    here.apply(route("digits", "counted.example.com", {"a": 1}))
    async with calling(here.cluster.gateway, "counted.example.com") as calls:
        await calls.more(20, "a")
    async with open_channel(here.cluster.gateway, "counted.example.com") as channel:
        assert (await call_grpc(channel, b"fail")).status == "INTERNAL"
    good = f'envoy_cluster_upstream_rq_xx{{envoy_cluster_name="{here.namespace}_a_8000"}} > 0'
    failed = f'envoy_cluster_grpc_13{{envoy_cluster_name="{here.namespace}_a_8001"}}'
    (by_class,) = await answered(here, good)
    (by_code,) = await answered(here, failed)
    assert by_class["metric"]["envoy_response_code_class"] == "2"
    assert by_code["value"][1] == "1"


async def test_a_port_named_metrics_is_scraped(here: World) -> None:
    """Its series have namespace, pod and the pod's labels; other ports are not scraped."""
    serving = here.backend("a")
    await asyncio.to_thread(here.kubectl, "wait", "--for=create", "serviceaccount/default")
    here.apply(pod("model", serving.port))
    status = f'{{"status": {{"phase": "Running", "podIP": "{CLUSTER_IP}"}}}}'
    here.kubectl("patch", "pod", "model", "--subresource=status", "--type=merge", "-p", status)
    (series,) = await answered(here, f'answers_total{{namespace="{here.namespace}"}}')
    assert series["value"][1] == "7"
    assert series["metric"] == {
        "__name__": "answers_total",
        "container": "triton",
        "halimede_dev_revision": "0a1b2c3d",
        "instance": f"{CLUSTER_IP}:{serving.port}",
        "job": "pods",
        "model": "digits",
        "namespace": here.namespace,
        "pod": "model",
    }
    targets = here.query(f'up{{namespace="{here.namespace}"}}')
    assert [target["metric"]["instance"] for target in targets] == [f"{CLUSTER_IP}:{serving.port}"]
