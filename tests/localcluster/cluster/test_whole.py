"""A complete cluster, as `make cluster` starts it."""

import os

from localcluster.cluster import up
from localcluster.processes import answers


def test_everything_stands() -> None:
    """When `up` returns, the node is Ready, the Gateway is programmed and Prometheus answers."""
    with up(f"whole-{os.getpid()}") as cluster:
        ready = '--output=jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
        assert cluster.kubectl("get", "nodes", ready) == "True"
        programmed = '--output=jsonpath={.status.conditions[?(@.type=="Programmed")].status}'
        gateway = ("gateway", "public", "--namespace=gateway-system")
        assert cluster.kubectl("get", *gateway, programmed) == "True"
        assert answers(f"{cluster.prometheus_url}/-/ready")() == ""
        assert cluster.helm("list", "--all-namespaces", "--short") == ""
