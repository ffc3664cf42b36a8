"""NetworkPolicies of revisions: which connections they allow."""

from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.api.source import ModelFiles
from halimede.render.names import ISOLATED_LABEL
from halimede.render.network import render_network
from halimede.render.platform import NetworkSettings, Platform
from halimede.render.resolver import render_resolver
from halimede.render.revision import render_revision
from halimede.render.workload import render_workload
from tests.support.network_policies import Endpoint, accepts, reaches
from tests.unit.render.resources import INPUTS, digits

GATEWAY = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}}
NEIGHBOURS: Manifest = {"podSelector": {}}
PROMETHEUS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
    "podSelector": {"matchLabels": {"app": "prometheus"}},
}
OPEN = NetworkSettings()
CLOSED = NetworkSettings(gateway=(GATEWAY,), clients=(NEIGHBOURS,), monitoring=(PROMETHEUS,))
SERVICE: dict[str, Any] = {"expose": {"type": "Service"}}
CACHE = {"kind": "Volume", "volume": {"claimName": "models"}}
INFERENCE, METRICS = (8000, 8001), (8002,)


def pod(namespace: str, address: str = "10.244.0.9", **labels: str) -> Endpoint:
    """Return a pod."""
    return Endpoint(address, namespace, {"kubernetes.io/metadata.name": namespace}, labels)


ENVOY, CLIENT, STRANGER = pod("gateway"), pod("ml"), pod("other")
SCRAPER, BESIDE_SCRAPER = pod("monitoring", app="prometheus"), pod("monitoring", app="grafana")
OUTSIDE = Endpoint("203.0.113.7")
CALLERS = (ENVOY, CLIENT, STRANGER, SCRAPER, BESIDE_SCRAPER, OUTSIDE)
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "168.63.129.16",
    "100.100.100.200",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fe80::a9fe:a9fe",
]


def policy(
    settings: NetworkSettings = OPEN,
    source: str | None = None,
    more: Manifest | None = None,
    **spec: Any,
) -> Manifest:
    """Return the NetworkPolicy of a model."""
    model = {"storageUri": source, "config": {"backend": "python"}} if source else None
    md = digits(model=model and model | (more or {}), **spec)
    platform = Platform("registry.example/halimede-fetch:1", network=settings)
    (rendered,) = render_network(md, render_revision(md, platform, INPUTS), settings)
    return rendered


def test_it_selects_the_pods_of_the_revision() -> None:
    """The selector is that of the revision's Deployment, and the name as well."""
    platform = Platform("registry.example/halimede-fetch:1", network=OPEN)
    md = digits()
    revision = render_revision(md, platform, INPUTS)
    deployment = render_workload(md, revision, 1)[2]
    (rendered,) = render_network(md, revision, OPEN)
    assert rendered["metadata"]["name"] == deployment["metadata"]["name"]
    selected = rendered["spec"]["podSelector"]["matchLabels"]
    assert selected == deployment["spec"]["selector"]["matchLabels"]
    assert selected.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("spec", [{}, SERVICE], ids=["Gateway", "Service"])
def test_without_peers_any_caller_reaches_the_ports_of_triton_and_no_others(
    spec: dict[str, Any],
) -> None:
    """Without peers, no caller is cut off."""
    rendered = policy(**spec)
    for caller in CALLERS:
        ports = [
            port for port in (80, 8000, 8001, 8002, 8003, 9000) if accepts(rendered, caller, port)
        ]
        assert ports == [8000, 8001, 8002]


@pytest.mark.parametrize(
    ("spec", "callers"),
    [
        ({}, {ENVOY}),
        ({"expose": {"type": "Ingress", "ingress": {"host": "a.example.com"}}}, {ENVOY}),
        (SERVICE, {CLIENT}),
    ],
    ids=["Gateway", "Ingress", "Service"],
)
def test_only_the_peers_reach_the_model(spec: dict[str, Any], callers: set[Endpoint]) -> None:
    """The gateway reaches exposed models, and pods of the namespace those without a router."""
    rendered = policy(CLOSED, **spec)
    for port in INFERENCE:
        assert {caller for caller in CALLERS if accepts(rendered, caller, port)} == callers
    for port in METRICS:
        assert {caller for caller in CALLERS if accepts(rendered, caller, port)} == {SCRAPER}


@pytest.mark.parametrize("source", [None, "pvc://models/digits"], ids=["configMap", "pvc"])
def test_a_model_from_a_volume_reaches_dns_only(source: str | None) -> None:
    """No server is needed to fetch it."""
    rendered = policy(source=source)
    for server in (OUTSIDE, STRANGER, CLIENT):
        for port in (53, 5353):
            assert reaches(rendered, server, port, "UDP")
            assert reaches(rendered, server, port)
        assert not any(reaches(rendered, server, port) for port in (80, 443, 6443, 8000))


@pytest.mark.parametrize(
    ("source", "port"),
    [
        ("https://models.example.com/digits.zip", 443),
        ("https://models.example.com:8443/digits.zip", 8443),
        ("https://[2001:db8::1]:8443/digits.zip", 8443),
        ("https://models.example.com:notaport/digits.zip", 443),
        ("hf://org/repo", 443),
    ],
)
def test_a_model_from_a_server_reaches_its_port(source: str, port: int) -> None:
    """Inside the cluster and outside, over IPv4 and IPv6; other ports stay closed."""
    only_that_port_is_open(policy(source=source), port)


def test_a_model_from_a_mirror_reaches_its_port() -> None:
    """The port is that of the endpoint, not that of the public hub."""
    supply = {"endpoint": "https://hub.example.com:8443/hf"}
    only_that_port_is_open(policy(source="hf://org/repo", more={"supply": supply}), 8443)


def only_that_port_is_open(rendered: Manifest, port: int) -> None:
    """Check that servers are reached at the port and at no other."""
    for server in (OUTSIDE, STRANGER, Endpoint("2001:db8::1")):
        open_ports = [one for one in (80, 443, 6443, 8443) if reaches(rendered, server, one)]
        assert open_ports == [port]


def test_a_model_in_a_cache_reaches_dns_only() -> None:
    """Given a cache, the Job reaches the source, and the pods of the revision do not."""
    source, supply = "https://models.example.com:8443/digits.zip", {"cache": CACHE}
    md = digits(model={"storageUri": source, "config": {"backend": "python"}, "supply": supply})
    platform = Platform("registry.example/halimede-fetch:1", network=OPEN)
    revision = render_revision(md, platform, {}, ModelFiles("ab" * 32, manifest="cd" * 32))
    (of_pods,) = render_network(md, revision, OPEN)
    of_job, _ = render_resolver(md, platform)
    assert [reaches(one, OUTSIDE, 8443) for one in (of_pods, of_job)] == [False, True]


@pytest.mark.parametrize(
    ("scheme", "more", "ports"),
    [
        ("s3", {}, [443]),
        ("s3", {"secretName": "keys"}, [443]),
        ("s3", {"supply": {"endpoint": "https://store:9000"}}, [443, 9000]),
        ("s3", {"supply": {"endpoint": "https://store:9000"}, "secretName": "keys"}, [9000]),
        ("s3", {"supply": {"endpoint": "https://store.example"}, "secretName": "keys"}, [443]),
        ("gs", {}, [443]),
        ("gs", {"supply": {"endpoint": "https://store:9000"}}, [9000]),
    ],
)
def test_a_model_in_an_object_store_reaches_its_port(
    scheme: str, more: Manifest, ports: list[int]
) -> None:
    """Without a Secret, credentials for S3 come from a service of AWS, at port 443."""
    rendered = policy(source=f"{scheme}://models/digits", more=more)
    for server in (OUTSIDE, STRANGER, Endpoint("2001:db8::1")):
        assert [one for one in (80, 443, 6443, 9000) if reaches(rendered, server, one)] == ports


@pytest.mark.parametrize("address", METADATA)
def test_no_model_reaches_the_metadata_of_a_cloud(address: str) -> None:
    """Neither at the port of the source, nor at any other; at 53 there may be a DNS server."""
    rendered = policy(source="https://models.example.com:80/digits.zip")
    assert reaches(rendered, OUTSIDE, 80)
    ports = (53, 80, 443, 5353, 8080, 32526)
    assert [port for port in ports if reaches(rendered, Endpoint(address), port)] == [53, 5353]


def test_without_the_setting_there_is_no_policy() -> None:
    """Neither the pods nor their revision differ from those of earlier versions."""
    platform = Platform("registry.example/halimede-fetch:1")
    md = digits()
    revision = render_revision(md, platform, INPUTS)
    assert render_network(md, revision, None) == ()
    assert ISOLATED_LABEL not in revision.pod_template["metadata"]["labels"]


def test_a_revision_from_before_the_setting_is_not_isolated() -> None:
    """A rollout judges the effect of a NetworkPolicy before all requests depend on it."""
    md = digits()
    before = render_revision(md, Platform("registry.example/halimede-fetch:1"), INPUTS)
    after = render_revision(
        md, Platform("registry.example/halimede-fetch:1", network=OPEN), INPUTS
    )
    assert render_network(md, before, OPEN) == ()
    assert len(render_network(md, after, OPEN)) == 1
    assert before.hash != after.hash
    assert before.spec_digest == after.spec_digest


def test_other_peers_make_no_other_revision() -> None:
    """They are changed in the NetworkPolicies, without a rollout."""
    md = digits()
    one, other = (
        render_revision(
            md, Platform("registry.example/halimede-fetch:1", network=settings), INPUTS
        )
        for settings in (OPEN, CLOSED)
    )
    assert one == other
