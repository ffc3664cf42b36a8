import re
from dataclasses import replace
from typing import Any

import pytest

from halimede.judge.query_policy import CustomQueryScope
from halimede.render.spec_policy import PodTemplatePolicy
from halimede.settings import Settings
from halimede.validation.allowed_names import HARMLESS
from tests.chart.rendering import CHART, REQUIRED, Helm
from tests.support.network_policies import Endpoint, accepts, reaches

EVERYTHING: dict[str, Any] = {
    "image": {"repository": "registry.example.com/halimede", "digest": "sha256:" + "a" * 64},
    "fetchImage": {"repository": "mirror.example.com/fetch", "digest": "sha256:" + "b" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "watchNamespaces": ["blue", "green"],
    "operator": {
        "prometheus": {
            "url": "https://prometheus.monitoring:9090",
            "secretName": "prometheus-access",
            "insecureSkipVerify": True,
            "maxResponseMebibytes": 32,
            "customQueries": "Off",
            "matchers": {"cluster": "eu", "replica": "a"},
            "routerMatchers": {"namespace": "projectcontour"},
        },
        "tritonRepository": "registry.example.com/tritonserver",
        "sha256Required": True,
        "podTemplate": "None",
        "ingressAnnotations": ["cert-manager.io/issuer", "example.com/*"],
        "serviceAccounts": ["models", "team-*"],
        "leaseSeconds": 30,
        "workers": 3,
        "resyncSeconds": 60,
        "logFormat": "text",
        "logLevel": "debug",
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
    },
    "networkPolicies": {
        "models": False,
        "gateway": [{"namespaceSelector": {"matchLabels": {"name": "gateway"}}}],
        "clients": [{"podSelector": {}}],
        "monitoring": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
        "operatorEgress": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
    },
    "rbac": {
        "protectSpec": False,
        "protectObjects": False,
        "verifyCommands": False,
        "verifySpecs": False,
        "userRoles": False,
    },
    "flowSchema": {"create": False},
    "serviceAccount": {"annotations": {"example.com/role": "reader"}},
    "replicas": 3,
    "podAnnotations": {"example.com/a": "1"},
    "podLabels": {"team": "models"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "metrics": {
        "podMonitor": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "tokenSecret": {"name": "scraper"},
        }
    },
}
LITTLE: dict[str, Any] = {
    "replicas": 1,
    "crds": {"enabled": False},
    "rbac": {"create": False},
    "flowSchema": {"create": False},
    "networkPolicies": {"operator": False},
    "serviceAccount": {"create": False, "name": "given"},
    "metrics": {"authentication": False, "service": {"enabled": False}},
}
VALUES = {"defaults": {}, "everything": EVERYTHING, "little": LITTLE}


def container(helm: Helm, values: dict[str, Any]) -> dict[str, Any]:
    """Return the operator's container."""
    deployment = helm.rendered(values).only("Deployment")
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(only)


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        (
            "defaults",
            {
                "ClusterRole",
                "ClusterRoleBinding",
                "CustomResourceDefinition",
                "Deployment",
                "FlowSchema",
                "NetworkPolicy",
                "PodDisruptionBudget",
                "Role",
                "RoleBinding",
                "Service",
                "ServiceAccount",
                "ValidatingAdmissionPolicy",
                "ValidatingAdmissionPolicyBinding",
            },
        ),
        (
            "everything",
            {
                "ClusterRole",
                "ClusterRoleBinding",
                "CustomResourceDefinition",
                "Deployment",
                "NetworkPolicy",
                "PodDisruptionBudget",
                "PodMonitor",
                "Role",
                "RoleBinding",
                "Service",
                "ServiceAccount",
            },
        ),
        ("little", {"Deployment"}),
    ],
)
def test_values_decide_what_is_installed(helm: Helm, values: str, kinds: set[str]) -> None:
    """Only enabled objects are installed."""
    rendered = helm.rendered(VALUES[values])
    assert {manifest["kind"] for manifest in rendered.manifests} == kinds


@pytest.mark.parametrize("values", VALUES)
def test_lint_finds_nothing(helm: Helm, values: str) -> None:
    """Helm's linter reports nothing, not even a warning."""
    finished = helm.with_values("lint", "--strict", CHART, values={**REQUIRED, **VALUES[values]})
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_the_operator_can_read_its_environment(helm: Helm) -> None:
    """The operator reads the environment that the chart sets."""
    environment = {
        variable["name"]: variable["value"] for variable in container(helm, EVERYTHING)["env"]
    }
    assert Settings.from_env(environment) == Settings(
        fetch_image="mirror.example.com/fetch@sha256:" + "b" * 64,
        namespaces=("blue", "green"),
        prometheus_url="https://prometheus.monitoring:9090",
        prometheus_credentials="/etc/halimede/prometheus",
        prometheus_insecure_skip_verify=True,
        prometheus_max_response_mebibytes=32,
        prometheus_custom_queries=CustomQueryScope.OFF,
        prometheus_matchers=(("cluster", "eu"), ("replica", "a")),
        prometheus_router_matchers=(("namespace", "projectcontour"),),
        triton_repository="registry.example.com/tritonserver",
        sha256_required=True,
        network_policies=False,
        network_gateway=({"namespaceSelector": {"matchLabels": {"name": "gateway"}}},),
        network_clients=({"podSelector": {}},),
        network_monitoring=({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},),
        pod_template=PodTemplatePolicy.NONE,
        ingress_annotations=("cert-manager.io/issuer", "example.com/*"),
        service_accounts=("models", "team-*"),
        lease=("halimede-system", "h-halimede"),
        lease_seconds=30,
        workers=3,
        resync_seconds=60,
        http_port=8080,
        log_format="text",
        log_level="DEBUG",
    )
    assert environment["TZ"] == "UTC"


def test_the_chart_has_the_defaults_of_the_operator(helm: Helm) -> None:
    """The chart's default values equal the operator's defaults, except for the Lease."""
    environment = {variable["name"]: variable["value"] for variable in container(helm, {})["env"]}
    image = f"{REQUIRED['image']['repository']}-fetch:0.1.0"
    lease = ("halimede-system", "h-halimede")
    assert Settings.from_env(environment) == replace(Settings(), fetch_image=image, lease=lease)


def test_the_policy_has_the_harmless_annotations_of_the_operator(helm: Helm) -> None:
    """Exactly those."""
    expressions = [
        variable["expression"]
        for policy in helm.rendered({}).of_kind("ValidatingAdmissionPolicy")
        for variable in policy["spec"].get("variables", ())
        if variable["name"] == "otherAnnotations"
    ]
    (listed,) = re.findall(r"name in \[(.*?)\]", "".join(expressions))
    assert listed.replace("'", "").split(",") == list(HARMLESS)


def test_off_may_be_written_without_quotes(helm: Helm) -> None:
    """YAML reads it as false."""
    values = {"operator": {"prometheus": {"customQueries": False}}}
    environment = {one["name"]: one.get("value") for one in container(helm, values)["env"]}
    assert environment["HALIMEDE_PROMETHEUS_CUSTOM_QUERIES"] == "Off"


def test_the_operator_has_no_power_over_its_node(helm: Helm) -> None:
    """It has a numeric user, a read-only root and no capabilities."""
    pod = helm.rendered({}).only("Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(helm, {})["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_metrics_are_found_by_the_name_of_the_port(helm: Helm) -> None:
    """Probes, the Service and the PodMonitor all use the one port, named ``metrics``."""
    rendered = helm.rendered(EVERYTHING)
    operator = container(helm, EVERYTHING)
    (endpoint,) = rendered.only("PodMonitor")["spec"]["podMetricsEndpoints"]
    (service_port,) = rendered.only("Service")["spec"]["ports"]
    assert operator["ports"] == [{"name": "metrics", "containerPort": 8080, "protocol": "TCP"}]
    assert operator["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert operator["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert service_port["targetPort"] == "metrics"
    assert endpoint == {
        "port": "metrics",
        "path": "/metrics",
        "interval": "30s",
        "authorization": {"type": "Bearer", "credentials": {"name": "scraper", "key": "token"}},
    }
    (rule, *_) = rendered.only("NetworkPolicy")["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]


def test_the_monitor_needs_a_token(helm: Helm) -> None:
    """Rendering fails with a message that names both ways, unless the metrics are open."""
    monitored = {"enabled": True}
    finished = helm.template({**REQUIRED, "metrics": {"podMonitor": monitored}})
    assert finished.returncode != 0
    assert "metrics.podMonitor.tokenSecret.name: /metrics requires a bearer" in finished.stderr
    values = {"metrics": {"authentication": False, "podMonitor": monitored}}
    (endpoint,) = helm.rendered(values).only("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert "authorization" not in endpoint
    assert container_variables(helm, values)["HALIMEDE_METRICS_AUTHENTICATION"] == "false"


def container_variables(helm: Helm, values: dict[str, Any]) -> dict[str, str]:
    """Return the environment of the operator."""
    return {one["name"]: one.get("value") for one in container(helm, values)["env"]}


@pytest.mark.parametrize("values", ["defaults", "everything"])
def test_every_selector_finds_the_pod(helm: Helm, values: str) -> None:
    """Deployment, Service and PodMonitor select labels of the pod."""
    rendered = helm.rendered(VALUES[values])
    deployment = rendered.only("Deployment")["spec"]
    selectors = [
        deployment["selector"]["matchLabels"],
        rendered.only("Service")["spec"]["selector"],
    ]
    selectors.append(rendered.only("NetworkPolicy")["spec"]["podSelector"]["matchLabels"])
    selectors += [
        monitor["spec"]["selector"]["matchLabels"] for monitor in rendered.of_kind("PodMonitor")
    ]
    carried = deployment["template"]["metadata"]["labels"].items()
    assert [selector for selector in selectors if not selector.items() <= carried] == []


PROMETHEUS = Endpoint("10.2.0.1", "monitoring", labels={"app": "prometheus"})
BESIDE = Endpoint("10.1.0.1", "halimede-system", labels={"app": "prometheus"})
OUTSIDE = Endpoint("203.0.113.7")
PORTS = (53, 80, 443, 6443, 9090)
METADATA = ("169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254")


def test_the_operator_is_isolated(helm: Helm) -> None:
    """Everyone may read the metrics, and the operator reaches everything but metadata."""
    policy = helm.rendered({}).only("NetworkPolicy")
    for other in (PROMETHEUS, BESIDE, OUTSIDE):
        assert [port for port in (80, 8080, 8081) if accepts(policy, other, port)] == [8080]
        assert [port for port in PORTS if reaches(policy, other, port)] == [*PORTS]
        assert reaches(policy, other, 53, "UDP")
    for address in METADATA:
        reached = [port for port in PORTS if reaches(policy, Endpoint(address), port)]
        assert reached == [53, 443, 6443]


def test_the_peers_of_the_operator_can_be_set(helm: Helm) -> None:
    """Then only monitoring reads the metrics, and the operator reaches only what it needs."""
    policy = helm.rendered(EVERYTHING).only("NetworkPolicy")
    others = (PROMETHEUS, BESIDE, OUTSIDE)
    assert [other for other in others if accepts(policy, other, 8080)] == [PROMETHEUS]
    assert [other for other in others if reaches(policy, other, 9090)] == [BESIDE]
    assert [other for other in others if reaches(policy, other, 6443)] == [*others]


def test_a_service_account_of_ones_own_must_be_named(helm: Helm) -> None:
    """Rendering fails with a message that names the key."""
    finished = helm.template({**REQUIRED, "serviceAccount": {"create": False}})
    assert finished.returncode != 0
    assert "serviceAccount.name: name the ServiceAccount to use" in finished.stderr
