"""The NetworkPolicy of a revision: who may connect to its pods, and to what they may connect.

NetworkPolicies add up: a connection is allowed if any of the policies that select the pod allows
it. So further connections need no field of the spec, but a NetworkPolicy of the user's own.

The probes of the kubelet need no rule: NetworkPolicies cannot block traffic from the node of the
pod (https://kubernetes.io/docs/concepts/services-networking/network-policies/, "What you can't do
with network policies").
"""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from halimede.api.base import Manifest
from halimede.api.expose import ExposeType
from halimede.api.source import Scheme
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import names
from halimede.render.env import render
from halimede.render.files_view import CREDENTIALS, ENDPOINT
from halimede.render.platform import NetworkSettings
from halimede.render.revision import Revision

DNS_PORTS = (53, 5353)
"""Ports of DNS servers. Rules apply to the port of the pod, which is 5353 in OpenShift."""
HTTPS_PORT = 443
METADATA_V4 = ["169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32"]
"""Addresses at which clouds give the credentials of the node to every process on it: link-local
ones (AWS, Azure, Google Cloud, OpenStack and others), Azure's WireServer, and Alibaba Cloud."""
METADATA_V6 = ["fe80::/10", "fd00:ec2::/32", "fd20:ce::254/128"]
"""The same for IPv6: link-local ones, AWS, and Google Cloud."""
ANYWHERE: list[Manifest] = [
    # Some network plugins do not match pods by their addresses.
    {"namespaceSelector": {}},
    {"ipBlock": {"cidr": "0.0.0.0/0", "except": METADATA_V4}},
    {"ipBlock": {"cidr": "::/0", "except": METADATA_V6}},
]
"""The peers that a model may be fetched from."""


def render_network(
    md: ModelDeployment, revision: Revision, settings: NetworkSettings | None
) -> tuple[Manifest, ...]:
    """Render the NetworkPolicy of a revision; none if its pods are not isolated.

    They are not if there are no NetworkPolicies, or were none when the revision was rendered: a
    model that serves must not lose its connections without a rollout that judges it.

    Args:
        md: The owner.
        revision: The revision whose pods are isolated.
        settings: The administrator's settings; None: there are no NetworkPolicies.
    """
    if settings is None or not _is_isolated(revision):
        return ()
    name, exposed_by = md.metadata.name, md.spec.expose.type
    policy = render(
        "network_policy",
        metadata=names.metadata(md, names.revision_name(name, revision.hash), revision.hash),
        selector=names.selector(name, revision.hash),
        serves=True,
        callers=settings.clients if exposed_by is ExposeType.SERVICE else settings.gateway,
        monitoring=settings.monitoring,
        **_egress(revision.pod_template),
    )
    return (policy,)


def render_fetch_only(metadata: Manifest, selector: Manifest, pod_template: Manifest) -> Manifest:
    """Render the NetworkPolicy of pods that only fetch the source of *pod_template*."""
    return render(
        "network_policy",
        metadata=metadata,
        selector=selector,
        serves=False,
        **_egress(pod_template),
    )


def _egress(pod_template: Manifest) -> Manifest:
    return {
        "dns_ports": DNS_PORTS,
        "source_ports": sorted(set(_source_ports(pod_template))),
        "anywhere": ANYWHERE,
    }


def _is_isolated(revision: Revision) -> bool:
    labels: Manifest = revision.pod_template["metadata"]["labels"]
    return labels.get(names.ISOLATED_LABEL) == "true"


def _source_ports(pod_template: Manifest) -> Iterator[int]:
    """Yield the ports of the servers that the container `fetch` reads from.

    They are those of the recorded pod, not of the present spec: an old revision's new pods need
    the old source.
    """
    for container in pod_template["spec"]["initContainers"]:
        arguments = container.get("args") or () if container["name"] == names.FETCHER else ()
        for argument in arguments:
            if argument.startswith(f"{Scheme.HTTPS}://"):
                yield _port(argument)
            elif argument.startswith(ENDPOINT):
                yield _port(argument.removeprefix(ENDPOINT))
            elif _asks_cloud(argument, arguments):
                yield HTTPS_PORT


def _asks_cloud(source: str, arguments: Sequence[str]) -> bool:
    """Whether objects, or the credentials for them, come from AWS or Google."""
    if any(argument.startswith(ENDPOINT) for argument in arguments):
        return source.startswith(f"{Scheme.S3}://") and CREDENTIALS not in arguments
    return source.startswith((f"{Scheme.S3}://", f"{Scheme.GS}://"))


def _port(uri: str) -> int:
    """Return the port of a URI.

    >>> _port("https://models.example.com:8443/digits.zip"), _port("https://models.example.com/a")
    (8443, 443)
    """
    try:
        return urlsplit(uri).port or HTTPS_PORT
    except ValueError:  # it cannot be fetched either, which `fetch` reports
        return HTTPS_PORT
