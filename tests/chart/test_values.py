import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, REQUIRED, Helm

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
README = (CHART / "README.md").read_text()
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
DIGEST = "sha256:" + "a" * 64

REJECTED: list[tuple[str, dict[str, Any]]] = [
    ("", {"replicaCount": 2}),
    ("/replicas", {"replicas": 0}),
    ("/image", {"image": {"name": "halimede"}}),
    ("/image/repository", {"image": {"repository": "a b"}}),
    ("/image/repository", {"image": {"repository": "halimede@sha256:0"}}),
    ("/image/tag", {"image": {"tag": "a b"}}),
    ("/image/digest", {"image": {"digest": "sha256:abc"}}),
    ("/image/pullPolicy", {"image": {"pullPolicy": "Sometimes"}}),
    ("/fetchImage", {"fetchImage": {"pullPolicy": "Always"}}),
    ("/fetchImage/repository", {"fetchImage": {"repository": "halimede-fetch@sha256:0"}}),
    ("/fetchImage/tag", {"fetchImage": {"tag": "a b"}}),
    ("/fetchImage/digest", {"fetchImage": {"digest": "sha256:abc"}}),
    ("/imagePullSecrets/0", {"imagePullSecrets": ["registry"]}),
    ("/imagePullSecrets/0", {"imagePullSecrets": [{}]}),
    ("/imagePullSecrets/0/name", {"imagePullSecrets": [{"name": ""}]}),
    ("/nameOverride", {"nameOverride": "Upper"}),
    ("/fullnameOverride", {"fullnameOverride": "under_score"}),
    ("/crds", {"crds": {"install": True}}),
    ("/crds/enabled", {"crds": {"enabled": "yes"}}),
    ("/crds/keep", {"crds": {"keep": "yes"}}),
    ("/watchNamespaces", {"watchNamespaces": "blue"}),
    ("/watchNamespaces", {"watchNamespaces": ["blue", "blue"]}),
    ("/watchNamespaces/0", {"watchNamespaces": ["*"]}),
    ("/operator", {"operator": {"threads": 2}}),
    ("/operator/prometheus", {"operator": {"prometheus": {"token": "secret"}}}),
    ("/operator/prometheus/url", {"operator": {"prometheus": {"url": "prometheus:9090"}}}),
    ("/operator/prometheus/url", {"operator": {"prometheus": {"url": "http://me:pw@here"}}}),
    ("/operator/prometheus/secretName", {"operator": {"prometheus": {"secretName": "A B"}}}),
    (
        "/operator/prometheus/insecureSkipVerify",
        {"operator": {"prometheus": {"insecureSkipVerify": "yes"}}},
    ),
    (
        "/operator/prometheus/maxResponseMebibytes",
        {"operator": {"prometheus": {"maxResponseMebibytes": 0}}},
    ),
    (
        "/operator/prometheus/customQueries",
        {"operator": {"prometheus": {"customQueries": "Some"}}},
    ),
    (
        "/operator/prometheus/matchers/cluster",
        {"operator": {"prometheus": {"matchers": {"cluster": "a,b=c"}}}},
    ),
    (
        "/operator/prometheus/matchers",
        {"operator": {"prometheus": {"matchers": {"a-b": "c"}}}},
    ),
    (
        "/operator/prometheus/matchers/namespace",
        {"operator": {"prometheus": {"matchers": {"namespace": "ml"}}}},
    ),
    (
        "/operator/prometheus/routerMatchers",
        {"operator": {"prometheus": {"routerMatchers": {"__name__": "up"}}}},
    ),
    (
        "/operator/prometheus/routerMatchers/le",
        {"operator": {"prometheus": {"routerMatchers": {"le": "5"}}}},
    ),
    (
        "/operator/prometheus/routerMatchers/namespace",
        {"operator": {"prometheus": {"routerMatchers": {"namespace": ""}}}},
    ),
    ("/operator/tritonRepository", {"operator": {"tritonRepository": ""}}),
    ("/operator/sha256Required", {"operator": {"sha256Required": "yes"}}),
    ("/operator/podTemplate", {"operator": {"podTemplate": "Some"}}),
    ("/operator/ingressAnnotations/0", {"operator": {"ingressAnnotations": ["a'"]}}),
    ("/operator/ingressAnnotations", {"operator": {"ingressAnnotations": ["a", "a"]}}),
    ("/operator/serviceAccounts/0", {"operator": {"serviceAccounts": ["a*b"]}}),
    ("/operator/workers", {"operator": {"workers": 0}}),
    ("/operator/workers", {"operator": {"workers": 101}}),
    ("/operator/resyncSeconds", {"operator": {"resyncSeconds": 9}}),
    ("/operator/resyncSeconds", {"operator": {"resyncSeconds": 86401}}),
    ("/operator/logFormat", {"operator": {"logFormat": "xml"}}),
    ("/operator/logLevel", {"operator": {"logLevel": "loud"}}),
    ("/operator/extraEnv/0", {"operator": {"extraEnv": [{"value": "no name"}]}}),
    ("/operator/extraEnv/0/name", {"operator": {"extraEnv": [{"name": ""}]}}),
    ("/operator/extraEnv/0/value", {"operator": {"extraEnv": [{"name": "A", "value": 1}]}}),
    ("/networkPolicies", {"networkPolicies": {"enabled": True}}),
    ("/networkPolicies/models", {"networkPolicies": {"models": "yes"}}),
    ("/networkPolicies/gateway", {"networkPolicies": {"gateway": {"podSelector": {}}}}),
    ("/networkPolicies/gateway/0", {"networkPolicies": {"gateway": [{}]}}),
    ("/networkPolicies/gateway/0", {"networkPolicies": {"gateway": [{"pods": {}}]}}),
    (
        "/networkPolicies/gateway/0",
        {"networkPolicies": {"gateway": [{"ipBlock": {"cidr": "::/0"}, "podSelector": {}}]}},
    ),
    (
        "/networkPolicies/clients/0/ipBlock/cidr",
        {"networkPolicies": {"clients": [{"ipBlock": {"cidr": "10.0.0.1"}}]}},
    ),
    (
        "/networkPolicies/clients/0/podSelector",
        {"networkPolicies": {"clients": [{"podSelector": {"app": "a"}}]}},
    ),
    (
        "/networkPolicies/monitoring/0/podSelector/matchExpressions/0/operator",
        {
            "networkPolicies": {
                "monitoring": [
                    {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Gt"}]}}
                ]
            }
        },
    ),
    ("/networkPolicies/operator", {"networkPolicies": {"operator": "yes"}}),
    ("/networkPolicies/operatorEgress/0", {"networkPolicies": {"operatorEgress": ["any"]}}),
    ("/serviceAccount", {"serviceAccount": {"token": "x"}}),
    ("/serviceAccount/create", {"serviceAccount": {"create": "no"}}),
    ("/serviceAccount/name", {"serviceAccount": {"name": "A B"}}),
    ("/serviceAccount/annotations/a", {"serviceAccount": {"annotations": {"a": 1}}}),
    ("/rbac", {"rbac": {"admin": True}}),
    ("/rbac/create", {"rbac": {"create": "no"}}),
    ("/rbac/protectSpec", {"rbac": {"protectSpec": "no"}}),
    ("/rbac/verifySpecs", {"rbac": {"verifySpecs": "no"}}),
    ("/rbac/protectObjects", {"rbac": {"protectObjects": "no"}}),
    ("/resources", {"resources": {"memory": "1Gi"}}),
    ("/terminationGracePeriodSeconds", {"terminationGracePeriodSeconds": 0}),
    ("/podAnnotations/a", {"podAnnotations": {"a": True}}),
    ("/podLabels/a", {"podLabels": {"a": 1}}),
    ("/nodeSelector/a", {"nodeSelector": {"a": 1}}),
    ("/tolerations", {"tolerations": {"key": "gpu"}}),
    ("/affinity", {"affinity": []}),
    ("/priorityClassName", {"priorityClassName": "Very High"}),
    ("/metrics", {"metrics": {"enabled": True}}),
    ("/metrics/service", {"metrics": {"service": {"port": 1}}}),
    ("/metrics/service/enabled", {"metrics": {"service": {"enabled": 1}}}),
    ("/metrics/podMonitor", {"metrics": {"podMonitor": {"path": "/m"}}}),
    ("/metrics/podMonitor/enabled", {"metrics": {"podMonitor": {"enabled": 1}}}),
    ("/metrics/podMonitor/interval", {"metrics": {"podMonitor": {"interval": "soon"}}}),
    ("/metrics/authentication", {"metrics": {"authentication": "no"}}),
    (
        "/metrics/podMonitor/tokenSecret",
        {"metrics": {"podMonitor": {"tokenSecret": {"token": "secret"}}}},
    ),
    (
        "/metrics/podMonitor/tokenSecret/name",
        {"metrics": {"podMonitor": {"tokenSecret": {"name": "A B"}}}},
    ),
    (
        "/metrics/podMonitor/tokenSecret/key",
        {"metrics": {"podMonitor": {"tokenSecret": {"key": ""}}}},
    ),
    ("/metrics/podMonitor/labels/a", {"metrics": {"podMonitor": {"labels": {"a": 1}}}}),
]


def leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the dotted paths of the values that a user may set; empty values are leaves."""
    for key, value in values.items():
        here = f"{path}{key}"
        if (
            isinstance(value, dict)
            and value
            and here not in {"resources.requests", "resources.limits"}
        ):
            yield from leaves(value, f"{here}.")
        else:
            yield here


def closed(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, bool]]:
    """Yield every object with keys, and whether it rejects other keys."""
    if "properties" in schema:
        yield path, schema.get("additionalProperties") is False
        for key, inner in schema["properties"].items():
            yield from closed(inner, f"{path}/{key}")
    if "items" in schema:
        yield from closed(schema["items"], f"{path}/0")


@pytest.mark.parametrize(("field", "values"), REJECTED, ids=[str(case[1]) for case in REJECTED])
def test_bad_values_are_rejected_with_their_path(
    helm: Helm, field: str, values: dict[str, Any]
) -> None:
    """Helm fails before rendering, and its message names the field."""
    finished = helm.template(values)
    assert finished.returncode != 0
    assert finished.stdout == ""
    assert f"at '{field}':" in finished.stderr


@pytest.mark.parametrize("values", [{}, {"image": {"repository": ""}}, {"image": {"tag": "1"}}])
def test_the_repository_of_the_image_is_required(helm: Helm, values: dict[str, Any]) -> None:
    """Nothing is rendered without it: a default could be taken from a public registry."""
    finished = helm.template(values)
    assert finished.returncode != 0
    assert finished.stdout == ""
    assert "image.repository: the repository of Halimede's image is not set;" in finished.stderr


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, f"registry.example.com/halimede:{VERSION}"),
        ({"tag": "1"}, "registry.example.com/halimede:1"),
        ({"tag": "1", "digest": DIGEST}, f"registry.example.com/halimede@{DIGEST}"),
    ],
)
def test_the_operator_has_its_image(helm: Helm, image: dict[str, str], expected: str) -> None:
    """A digest overrides a tag, and without both the tag is the chart's appVersion."""
    assert operator(helm, image=image)["image"] == expected


@pytest.mark.parametrize(
    ("image", "fetch_image", "expected"),
    [
        ({}, {}, f"registry.example.com/halimede-fetch:{VERSION}"),
        ({"tag": "1"}, {}, "registry.example.com/halimede-fetch:1"),
        ({"tag": "1", "digest": DIGEST}, {}, "registry.example.com/halimede-fetch:1"),
        ({"digest": DIGEST}, {}, f"registry.example.com/halimede-fetch:{VERSION}"),
        ({"tag": "1"}, {"tag": "2"}, "registry.example.com/halimede-fetch:2"),
        ({"tag": "1"}, {"repository": "mirror/fetcher"}, "mirror/fetcher:1"),
        (
            {"tag": "1"},
            {"tag": "2", "digest": DIGEST},
            f"registry.example.com/halimede-fetch@{DIGEST}",
        ),
    ],
)
def test_the_init_containers_have_an_image_beside_it(
    helm: Helm, image: dict[str, str], fetch_image: dict[str, str], expected: str
) -> None:
    """Given parts of the fetcher's image, the others are those of the operator's image."""
    variables = operator(helm, image=image, fetchImage=fetch_image)["env"]
    assert {"name": "HALIMEDE_FETCH_IMAGE", "value": expected} in variables


def operator(helm: Helm, *, image: dict[str, str], **values: dict[str, str]) -> dict[str, Any]:
    """Return the container of the operator."""
    rendered = helm.rendered({"image": {**REQUIRED["image"], **image}, **values})
    container: dict[str, Any]
    (container,) = rendered.only("Deployment")["spec"]["template"]["spec"]["containers"]
    return container


def test_every_object_rejects_unknown_keys() -> None:
    """Unknown keys in a values file are errors."""
    objects = dict(closed(SCHEMA))
    assert objects
    assert [path for path, rejects in objects.items() if not rejects] == []


def test_every_key_is_explained_where_it_stands() -> None:
    """In values.yaml every key has a comment above it."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    plain = {"requests", "limits", "cpu", "memory"}
    bare = [
        line.strip()
        for before, line in zip(["", *lines], lines, strict=False)
        if (key := re.match(r"\s*(\w+):(?: \S.*)$", line)) and key[1] not in plain
        if not before.lstrip().startswith("#")
    ]
    assert bare == []


def test_the_readme_lists_every_value_with_its_default() -> None:
    """The table has exactly one row for each key of values.yaml, in its order."""
    rows = re.findall(r"^\| `([\w.]+)` \| `(.*?)` \|", README, re.MULTILINE)
    assert [key for key, _ in rows] == list(leaves(VALUES))
    shown = {
        key: yaml.safe_load(f"{{{default}}}" if ": " in default else default)
        for key, default in rows
    }
    assert shown == {key: looked_up(key) for key in leaves(VALUES)}


def looked_up(path: str) -> Any:
    """Return the default at a dotted path."""
    value: Any = VALUES
    for key in path.split("."):
        value = value[key]
    return value
